"""Rules in their written order. Each target is set by the first rule that sets it; `stop` ends the run. The trace lists
every rule that matched, with what it wanted and lost."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from contracts.workspace import Actions, Rule
from router.conditions import Subject, Test
from router.ruleset import RuleSet


@dataclass(slots=True)
class Verdict:
    """What the rules want. `matched` is the trace for the decision record."""

    wants: dict[str, str] = field(default_factory=dict)
    """Target (department, category, priority, assign) -> value; department as a slug."""
    by: dict[str, str] = field(default_factory=dict)
    """Target -> id of the rule that set it."""
    tags: list[str] = field(default_factory=list)
    matched: list[dict[str, Any]] = field(default_factory=list)


def run(subject: Subject, rules: RuleSet, *, opens: bool, picked: str | None = None) -> Verdict:
    """The verdict for one message. Rules for new tickets run only when it opens one. The department `picked` on the form
    stays, unless a rule may override it."""
    verdict = Verdict()
    for rule, groups in rules.candidates(subject):
        if rule.when == "ticket created" and not opens:
            continue
        words = _applies(groups, subject)
        if words is None:
            continue
        _note(rule, words, verdict, rules, picked)
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


def _note(rule: Rule, words: list[str], verdict: Verdict, rules: RuleSet, picked: str | None) -> None:
    entry: dict[str, Any] = {"rule": rule.id, "words": sorted(set(words))}
    for target, value in _targets(rule.actions, rules).items():
        if target in verdict.wants or not _may(target, value, rule.actions, verdict, rules, picked):
            entry.setdefault("lost", {})[target] = value
            continue
        entry.setdefault("set", {})[target] = value
        verdict.wants[target] = value
        verdict.by[target] = rule.id
    verdict.tags += [tag for tag in rule.actions.tags if tag not in verdict.tags]
    verdict.matched.append(entry)


def _targets(actions: Actions, rules: RuleSet) -> dict[str, str]:
    """What the actions set, department first: a category brings its department."""
    department, category = rules.department(actions.department), rules.category(actions.category)
    found = {
        "department": department.id if department else category.department if category else None,
        "category": category.path if category else None,
        "priority": actions.priority,
        "assign": actions.assign,
    }
    return {target: value for target, value in found.items() if value is not None}


def _may(
    target: str, value: str, actions: Actions, verdict: Verdict, rules: RuleSet, picked: str | None
) -> bool:
    """A picked department yields only to `override_form`; a category needs the department that holds by now."""
    if target == "department":
        return picked in (None, value) or actions.override_form
    if target == "category":
        category = rules.category(value)
        return category is not None and category.department == verdict.wants.get("department", picked)
    return True
