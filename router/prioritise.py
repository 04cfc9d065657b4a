"""Priority: a rule's, else the customer's, the category's, the account's, the department's, else medium. The losers are
shown."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, cast

from contracts.ticket import Priority
from contracts.workspace import Account
from router.rules import Verdict
from router.ruleset import RuleSet


def prioritise(
    department: str,
    category: str | None,
    verdict: Verdict,
    rules: RuleSet,
    tags: Collection[str] = (),
    account: Account | None = None,
) -> tuple[Priority, list[dict[str, Any]]]:
    """The priority, and every candidate in the order of precedence: the first one won. `tags` are the customer's; `account`:
    the door that the message came through."""
    node, group = rules.category(category), rules.department(department)
    tag = next((tag for tag in rules.workspace.customer_priorities if tag in tags), None)
    candidates = [
        (f"rule:{verdict.by.get('priority')}", verdict.wants.get("priority")),
        (f"customer:{tag}", rules.workspace.customer_priorities[tag] if tag else None),
        ("category", node.priority if node else None),
        ("account", account.priority if account else None),
        ("department", group.priority if group else None),
        ("default", "medium"),
    ]
    given = [{"from": source, "priority": value} for source, value in candidates if value]
    return cast(Priority, given[0]["priority"]), given
