"""Rules in their written order. Each target is set by the first rule that sets it; `stop` ends the run. The trace lists
every rule that matched, with what it wanted and lost."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from contracts.rules import Actions, Rule
from router.conditions import Match, Subject, Test
from router.ruleset import RuleSet
from router.subjects import becomes


@dataclass(slots=True)
class Verdict:
    """What the rules want. `matched` is the trace for the decision record."""

    wants: dict[str, str] = field(default_factory=dict)
    """Target (department, category, priority, assign, sla, status, auto_reply) -> value; department as a slug."""
    by: dict[str, str] = field(default_factory=dict)
    """Target -> id of the rule that set it."""
    tags: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    notify: list[str] = field(default_factory=list)
    """Departments and agents, each once."""
    webhooks: list[str] = field(default_factory=list)
    matched: list[dict[str, Any]] = field(default_factory=list)


def run(
    subject: Subject,
    rules: RuleSet,
    triggers: Collection[str],
    *,
    picked: str | None = None,
    current: str | None = None,
) -> Verdict:
    """The verdict of the rules that have one of these triggers. The department `picked` on the form stays, unless a rule may
    override it; `current` is the department of a ticket that is there already."""
    asked = _Run(rules, picked, current)
    for rule, groups in rules.candidates(subject):
        if rule.when not in triggers:
            continue
        words = _applies(groups, subject)
        if words is None:
            continue
        for target, value in asked.take(rule, words).items():
            becomes(subject, target, value)
        if rule.stop:
            break
    return asked.verdict


def _applies(groups: tuple[tuple[Test, ...], ...], subject: Subject) -> Match | None:
    """Matched words of the first group that holds; groups are joined by OR, no group holds always."""
    if not groups:
        return {}
    for group in groups:
        matched: Match = {}
        for test in group:
            words = test.holds(subject)
            if words is None:
                break
            matched |= words
        else:
            return matched
    return None


class _Run:
    def __init__(self, rules: RuleSet, picked: str | None, current: str | None) -> None:
        self.verdict = Verdict()
        self._rules = rules
        self._picked = picked
        self._current = current

    def take(self, rule: Rule, words: Match) -> dict[str, str]:
        """Adds a rule that matched; what it was first to set is returned."""
        verdict, actions = self.verdict, rule.actions
        entry: dict[str, Any] = {"rule": rule.id, "words": sorted(words)}
        if scores := {word: score for word, score in words.items() if score is not None}:
            entry["alike"] = scores
        took: dict[str, str] = {}
        for target, value in self._rules.sets(rule).items():
            if target in verdict.wants or not self._may(target, value, actions):
                entry.setdefault("lost", {})[target] = value
                continue
            took[target] = verdict.wants[target] = value
            verdict.by[target] = rule.id
        if took:
            entry["set"] = took
        _add(verdict.tags, actions.tags)
        _add(verdict.notes, (actions.note,) if actions.note else ())
        _add(verdict.notify, actions.notify)
        _add(verdict.webhooks, actions.webhook)
        verdict.matched.append(entry)
        return took

    def _may(self, target: str, value: str, actions: Actions) -> bool:
        """A picked department yields only to `override_form`; a category needs the department that holds by now."""
        if target == "department":
            return self._picked in (None, value) or actions.override_form
        if target == "category":
            category = self._rules.category(value)
            holds = self.verdict.wants.get("department", self._picked or self._current)
            return category is not None and category.department == holds
        return True


def _add(to: list[str], more: tuple[str, ...]) -> None:
    to += [one for one in more if one not in to]
