"""Rules, the customer's choice, category, priority: who sets what, and what the record says about the losers."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.rules import Actions, Condition, Rule
from router.facts import Plan
from tests.support.routing import Desk, chat, mail, message, rule_set


def rule(name: str, *conditions: Condition, when: Any = "ticket created", **given: Any) -> Rule:
    """One group of these conditions."""
    kept = {key: given.pop(key) for key in ("stop", "active", "notes") if key in given}
    groups = (conditions,) if conditions else ()
    return Rule(id=name, name=name, when=when, groups=groups, actions=Actions(**given), **kept)


def words(*keywords: str) -> Condition:
    return Condition(keywords=keywords)


def opened(*rules: Rule, **given: Any) -> Plan:
    return Desk(rule_set(*rules)).take(message(**given))


def test_nothing_matches_the_default_department_which_nobody_lists() -> None:
    plan = opened()
    assert plan.ticket.department == "general"
    assert plan.ticket.queue == "general"
    assert plan.ticket.deadline is not None
    assert plan.placement.decided_by == "default"


def test_the_account_decides_when_nothing_else_does() -> None:
    assert Desk(rule_set()).take(mail("m", "a@x.example")).ticket.department == "support"


@pytest.mark.parametrize("picked", ["returns", "Returns", " RETURNS "])
def test_the_selector_of_the_form_is_kept_against_a_rule(picked: str) -> None:
    plan = opened(
        rule("r", words("printer"), department="support"), text="printer", fields={"department": picked}
    )
    assert (plan.ticket.department, plan.placement.decided_by) == ("returns", "form")
    assert plan.record["department"]["reason"] == "form.selector"
    assert plan.record["rules"] == [{"rule": "r", "words": ["printer"], "lost": {"department": "support"}}]


def test_a_rule_that_is_marked_to_may_override_the_selector() -> None:
    plan = opened(rule("r", department="support", override_form=True), fields={"department": "returns"})
    assert (plan.ticket.department, plan.placement.decided_by) == ("support", "rule")


@pytest.mark.parametrize("picked", ["nonsense", "marketing"])
def test_an_unknown_or_hidden_department_is_the_default_and_counted(picked: str) -> None:
    plan = opened(fields={"department": picked})
    assert (plan.ticket.department, plan.placement.decided_by) == ("general", "unknown_department")


def test_a_picked_category_picks_its_department() -> None:
    plan = opened(fields={"category": "hardware/printers"})
    assert (plan.ticket.department, plan.ticket.category) == ("support", "Hardware/Printers")
    assert plan.record["category"]["reason"] == "form.selector"


def test_a_picked_category_of_another_department_does_not_count() -> None:
    plan = opened(fields={"department": "returns", "category": "Hardware/Printers"})
    assert (plan.ticket.department, plan.ticket.category) == ("returns", None)


def test_a_keyword_rule_sets_the_category_and_names_rule_and_word() -> None:
    plan = opened(
        rule("printers", words("drukark*"), category="Hardware/Printers"), text="Drukarka nie działa"
    )
    assert (plan.ticket.department, plan.ticket.category) == ("support", "Hardware/Printers")
    assert plan.record["category"]["reason"] == "rule:printers"
    assert plan.record["rules"][0]["words"] == ["drukarka"]


def test_the_first_rule_that_sets_a_target_wins_and_the_others_are_listed() -> None:
    plan = opened(
        rule("vip", department="returns", tags=("a",)),
        rule("europe", department="support", priority="low", tags=("b",)),
        rule("product", department="sales", priority="urgent"),
    )
    assert (plan.ticket.department, plan.ticket.priority, plan.ticket.tags) == ("returns", "low", ("a", "b"))
    assert [entry.get("lost") for entry in plan.record["rules"]] == [
        None,
        {"department": "support"},
        {"department": "sales", "priority": "urgent"},
    ]


def test_a_category_of_another_department_loses_to_the_first_that_fits() -> None:
    plan = opened(
        rule("one", department="returns"),
        rule("two", category="Hardware/Printers"),
        rule("three", category="Exchange"),
    )
    assert (plan.ticket.department, plan.ticket.category) == ("returns", "Exchange")


def test_stop_ends_the_run_and_an_inactive_rule_does_not_exist() -> None:
    plan = opened(
        rule("off", department="sales", active=False),
        rule("one", priority="high", stop=True),
        rule("two", department="returns"),
    )
    assert (plan.ticket.department, plan.ticket.priority) == ("general", "high")


def test_social_messages_go_to_marketing_unassigned_and_others_do_not() -> None:
    social = rule(
        "social",
        Condition(channel=("facebook_wall", "messenger", "x", "instagram", "viber")),
        department="marketing",
        assign="nobody",
    )
    desk = Desk(rule_set(social))
    direct = desk.take(chat("dm", channel="instagram"))
    assert (direct.ticket.department, direct.ticket.agent) == ("marketing", None)
    assert direct.record["assignment"]["reason"] == "rule:nobody"
    assert desk.take(mail("m", "a@x.example")).ticket.department == "support"


def test_groups_are_joined_by_or_and_conditions_by_and() -> None:
    grouped = Rule(
        id="g",
        name="g",
        groups=((words("alpha"), Condition(locale=("pl",))), (words("beta"),)),
        actions=Actions(department="returns"),
    )
    assert opened(grouped, text="alpha").ticket.department == "general"
    assert opened(grouped, text="alpha", locale="pl-PL").ticket.department == "returns"
    assert opened(grouped, text="beta").ticket.department == "returns"


@pytest.mark.parametrize(
    ("condition", "given"),
    [
        (Condition(store=("a",)), {}),
        (Condition(account=("contact",)), {}),
        (Condition(trust=("claimed",)), {}),
        (Condition(department=("Returns",)), {"fields": {"department": "returns"}}),
        (Condition(fields={"order_number": ("1042",)}), {"fields": {"order_number": "1042"}}),
        (Condition(subject=("refund",)), {"subject": "Refund, please"}),
        (Condition(keywords=("refund",)), {"subject": "Refund, please"}),
    ],
)
def test_every_field_of_a_condition(condition: Condition, given: dict[str, Any]) -> None:
    assert opened(rule("r", condition, tags=("hit",)), **given).ticket.tags == ("hit",)
    other = {"account": "x", "store": "b", "fields": {}, "subject": None}
    verified = Condition(trust=("verified",))
    missed = verified if condition.trust else condition
    assert opened(rule("r", missed, tags=("hit",)), **other).ticket.tags == ()


def test_negation() -> None:
    no_printer = Condition(keywords=("printer",), negate=True)
    assert opened(rule("r", no_printer, tags=("hit",)), text="phone").ticket.tags == ("hit",)
    assert opened(rule("r", no_printer, tags=("hit",)), text="printer").ticket.tags == ()


def test_a_subject_keyword_is_not_looked_for_in_the_text() -> None:
    assert opened(rule("r", Condition(subject=("refund",)), tags=("hit",)), text="refund").ticket.tags == ()


def test_priority_is_the_rule_s_then_the_category_s_then_the_department_s_and_shows_the_losers() -> None:
    printers = rule("p", words("printer"), category="Hardware/Printers")
    plan = opened(printers, rule("u", words("now"), priority="urgent"), text="printer now")
    assert plan.record["priority"] == {
        "value": "urgent",
        "candidates": [
            {"from": "rule:u", "priority": "urgent"},
            {"from": "category", "priority": "high"},
            {"from": "department", "priority": "medium"},
            {"from": "default", "priority": "medium"},
        ],
    }
    assert opened(printers, text="printer").ticket.priority == "high"


def test_a_rule_for_received_messages_tags_a_ticket_that_is_joined() -> None:
    desk = Desk(rule_set(rule("again", words("again"), when="message received", tags=("chased",))))
    assert desk.take(chat("one")).ticket.tags == ()
    joined = desk.take(chat("two", text="again"))
    assert (joined.placement.opens, joined.ticket.tags) == (False, ("chased",))
