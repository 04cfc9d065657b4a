"""Which department and category: the customer's choice, then the rules, then the account, then the default."""

from __future__ import annotations

import msgspec

from contracts.inbound import InboundMessage
from router.rules import Verdict
from router.ruleset import RuleSet


class Pick(msgspec.Struct, frozen=True):
    """What the customer chose on the form: a slug and a path that exist, or None. `reason` is for the record."""

    department: str | None = None
    category: str | None = None
    reason: str = ""


class Place(msgspec.Struct, frozen=True):
    """Slugs and paths, with the reason of each for the record."""

    department: str
    category: str | None
    decided_by: str
    """rule, form, default, unknown_department: the metric's label."""
    reason: str
    category_reason: str | None
    category_id: str | None = None


UNKNOWN = "form.unknown_department"


def pick(message: InboundMessage, rules: RuleSet) -> Pick:
    """The form's selectors. A department that does not exist, or is not public, becomes the default department; a
    category alone picks its department."""
    named = message.fields.get("department", "").strip()
    category = rules.category(message.fields.get("category"))
    if not named:
        return Pick(category.department, category.path, "form.category") if category else Pick()
    found = rules.department(named)
    known = found is not None and found.public
    department = found.id if found is not None and known else rules.default_department
    fits = category is not None and category.department == department
    return Pick(
        department, category.path if category and fits else None, "form.selector" if known else UNKNOWN
    )


def place(message: InboundMessage, picked: Pick, verdict: Verdict, rules: RuleSet) -> Place:
    """Always exactly one department. The verdict respects the pick already: what it wants, it may have."""
    department, decided_by, reason = _department(message, picked, verdict, rules)
    node = rules.category(picked.category)
    if node is not None and picked.department == department:
        return Place(department, node.path, decided_by, reason, "form.selector", node.id)
    ruled = rules.category(verdict.wants.get("category"))
    if ruled is not None and ruled.department == department:
        return Place(department, ruled.path, decided_by, reason, f"rule:{verdict.by['category']}", ruled.id)
    return Place(department, None, decided_by, reason, None)


def _department(
    message: InboundMessage, picked: Pick, verdict: Verdict, rules: RuleSet
) -> tuple[str, str, str]:
    ruled = verdict.wants.get("department")
    if picked.department is not None and ruled in (None, picked.department):
        by = "unknown_department" if picked.reason == UNKNOWN else "form"
        return picked.department, by, picked.reason
    if ruled is not None:
        return ruled, "rule", f"rule:{verdict.by['department']}"
    account = rules.account(message.channel, message.account)
    found = rules.department(account.department) if account else None
    if found is not None:
        return found.id, "default", "account"
    return rules.default_department, "default", "default"
