"""Rules in their written order. Each target is set by the first rule that sets it; `stop` ends the run. The trace lists
every rule that matched, with what it wanted and lost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from contracts.workspace import Actions, Rule
from router.conditions import Subject, Test
from router.ruleset import RuleSet

_TARGETS = ("department", "category", "priority", "assign")


@dataclass(slots=True)
class Verdict:
    """What the rules want. `matched` is the trace for the decision record."""

    wants: dict[str, str] = field(default_factory=dict)
    by: dict[str, str] = field(default_factory=dict)
    """Target -> id of the rule that set it."""
    tags: list[str] = field(default_factory=list)
    override_form: bool = False
    matched: list[dict[str, Any]] = field(default_factory=list)


def run(subject: Subject, rules: RuleSet, opens: bool) -> Verdict:
    """The verdict for one message; rules for new tickets run only when it opens one."""
    verdict = Verdict()
    for rule, groups in rules.rules:
        if rule.when == "ticket created" and not opens:
            continue
        words = _applies(groups, subject)
        if words is None:
            continue
        _note(rule, words, verdict)
        if rule.stop:
            break
    return verdict


def _applies(groups: tuple[tuple[Test, ...], ...], subject: Subject) -> list[str] | None:
    """Matched words of the first group that holds; groups are joined by OR, no group holds always."""
    if not groups:
        return []
    for group in groups:
        matched: list[str] = []
        for test in group:
            words = test.holds(subject)
            if words is None:
                break
            matched += words
        else:
            return matched
    return None


def _note(rule: Rule, words: list[str], verdict: Verdict) -> None:
    entry: dict[str, Any] = {"rule": rule.id, "words": sorted(set(words))}
    for target, value in _sets(rule.actions):
        if target in verdict.wants:
            entry.setdefault("lost", {})[target] = value
            continue
        entry.setdefault("set", {})[target] = value
        verdict.wants[target] = value
        verdict.by[target] = rule.id
        if target == "department":
            verdict.override_form = rule.actions.override_form
    verdict.tags += [tag for tag in rule.actions.tags if tag not in verdict.tags]
    verdict.matched.append(entry)


def _sets(actions: Actions) -> Iterator[tuple[str, str]]:
    for target in _TARGETS:
        value = getattr(actions, target)
        if value is not None:
            yield target, value
