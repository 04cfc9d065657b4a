"""Priority: a rule's, else the category's, else the department's, else medium. The losers are shown."""

from __future__ import annotations

from typing import Any, cast

from contracts.ticket import Priority
from router.rules import Verdict
from router.ruleset import RuleSet


def prioritise(
    department: str, category: str | None, verdict: Verdict, rules: RuleSet
) -> tuple[Priority, list[dict[str, Any]]]:
    """The priority, and every candidate in the order of precedence: the first one won."""
    node, group = rules.category(category), rules.department(department)
    candidates = [
        (f"rule:{verdict.by.get('priority')}", verdict.wants.get("priority")),
        ("category", node.priority if node else None),
        ("department", group.priority if group else None),
        ("default", "medium"),
    ]
    given = [{"from": source, "priority": value} for source, value in candidates if value]
    return cast(Priority, given[0]["priority"]), given
