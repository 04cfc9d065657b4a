"""Which department and category: the customer's choice, then the rules, then the account, then the default."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.inbound import InboundMessage
from router.rules import Verdict
from router.ruleset import RuleSet


@dataclass(frozen=True, slots=True)
class Place:
    """Slugs and paths, with the reason of each for the record."""

    department: str
    category: str | None
    decided_by: str
    """rule, form, default, unknown_department: the metric's label."""
    reason: str
    category_reason: str | None


def place(message: InboundMessage, verdict: Verdict, rules: RuleSet) -> Place:
    """Always exactly one department. A picked department beats every rule that is not marked to override it; a category
    counts only in the department it belongs to."""
    picked = rules.category(message.fields.get("category"))
    ruled = rules.category(verdict.wants.get("category"))
    department, decided_by, reason = _department(message, verdict, rules)
    if department is None:
        lead = picked or ruled
        if lead is not None:
            via = "form" if lead is picked else "rule"
            department, decided_by, reason = lead.department, via, f"{via}.category"
    if department is None:
        account = rules.account(message.channel, message.account)
        found = rules.department(account.department) if account else None
        department = found.id if found else rules.default_department
        decided_by, reason = "default", "account" if found else "default"
    for category, why in ((picked, "form.selector"), (ruled, f"rule:{verdict.by.get('category')}")):
        if category is not None and category.department == department:
            return Place(department, category.path, decided_by, reason, why)
    return Place(department, None, decided_by, reason, None)


def _department(message: InboundMessage, verdict: Verdict, rules: RuleSet) -> tuple[str | None, str, str]:
    named = message.fields.get("department", "").strip()
    wanted = rules.department(verdict.wants.get("department"))
    by_rule = (wanted.id, "rule", f"rule:{verdict.by['department']}") if wanted else None
    if named and not (by_rule and verdict.override_form):
        found = rules.department(named)
        if found and found.public:
            return found.id, "form", "form.selector"
        return rules.default_department, "unknown_department", "form.unknown_department"
    return by_rule or (None, "", "")
