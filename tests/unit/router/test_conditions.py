"""Each field of a condition, on messages and on tickets; and what a rule may do when it is asked."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from contracts.inbound import Attachment, Handle
from contracts.resolved import Order
from contracts.rules import Actions, Condition, Rule, TicketState, timed
from contracts.ticket import Ticket
from router.effects import react
from router.ruleset import RuleSet
from router.subjects import Known
from tests.support.routing import NOW, Desk, chat, message, resolved, rule_set

SATURDAY = NOW + timedelta(days=1)
PHONE = (Handle(kind="phone", value="+48600100200", proof="channel"),)
PICTURE = Attachment(name="Photo.JPG", type="image/jpeg")
LOGO = Attachment(name="logo.png", type="image/png", inline=True)
OFF = {"languages": ("pl", "en", "tr")}


def hit(when: str, *conditions: Condition, **given: Any) -> Rule:
    return Rule(
        id="r", name="r", when=when, groups=(conditions,), actions=Actions(**(given or {"tags": ("hit",)}))
    )


def matches(condition: Condition, known: Known, **given: Any) -> bool:
    rules = rule_set(hit("ticket created", condition), **OFF)
    inbound = message(**given)
    subject = rules.subject(inbound, None, known, NOW)
    return any(
        all(test.holds(subject) is not None for test in group)
        for _, groups in rules.candidates(subject)
        for group in groups
    )


@pytest.mark.parametrize(
    ("condition", "given", "other"),
    [
        ({"channel": ("webform",)}, {}, {"channel": "sms"}),
        ({"source": ("facebook",)}, {"channel": "messenger"}, {"channel": "instagram"}),
        ({"source": ("Twitter",)}, {"channel": "x"}, {"channel": "viber"}),
        ({"source": ("viber",)}, {"channel": "viber"}, {"channel": "x"}),
        ({"sender": ("Ann@Shop.example",)}, {"email": "ann@shop.example"}, {"email": "bob@shop.example"}),
        ({"sender": ("@shop.example",)}, {"email": "bob@SHOP.example"}, {"email": "bob@y.example"}),
        (
            {"language": ("pl",)},
            {"text": "Drukarka nie działa od wczoraj"},
            {"text": "The printer does not work"},
        ),
        ({"locale": ("pl",)}, {"locale": "pl_PL"}, {"locale": "lt"}),
        ({"country": ("PL",)}, {"handles": PHONE}, {"fields": {"country": "DE"}, "handles": PHONE}),
        ({"country": ("DE",)}, {"locale": "de-DE"}, {"locale": "de"}),
        ({"attachments": True}, {"attachments": (PICTURE,)}, {"attachments": (LOGO,)}),
        ({"attachments": False}, {"attachments": (LOGO,)}, {"attachments": (PICTURE,)}),
        ({"attachment_types": ("image/*",)}, {"attachments": (PICTURE,)}, {}),
        ({"attachment_types": ("*.jpg",)}, {"attachments": (PICTURE,)}, {"attachments": (LOGO,)}),
        ({"department": ("Returns",)}, {"fields": {"department": "returns"}}, {"fields": {}}),
        (
            {"category": ("Hardware",)},
            {"fields": {"category": "hardware/printers"}},
            {"fields": {"category": "Exchange"}},
        ),
        ({"fields": {"order": ("*",)}}, {"fields": {"order": "A-1"}}, {"fields": {"order": " "}}),
        ({"working_time": True}, {}, {"received_at": SATURDAY}),
        ({"working_time": False, "calendar": "std"}, {"received_at": SATURDAY}, {}),
        ({"text": ("refund",)}, {"text": "refund"}, {"subject": "refund"}),
        ({"keywords": ("drukarka",), "fuzzy": 85}, {"text": "moja drukrka"}, {"text": "moja drabina"}),
    ],
)
def test_a_field_tells_messages_apart(
    condition: dict[str, Any], given: dict[str, Any], other: dict[str, Any]
) -> None:
    assert matches(Condition(**condition), Known(), **given)
    assert not matches(Condition(**condition), Known(), **other)
    assert matches(Condition(**condition, negate=True), Known(), **other)


@pytest.mark.parametrize(
    ("condition", "known"),
    [
        ({"trust": ("verified",)}, Known(trust="verified")),
        ({"customer_tags": ("VIP",)}, Known("verified", tags=("vip",))),
        ({"customer_tags": ("vip",), "trust": ("claimed",)}, Known("claimed", tags=("vip",))),
        ({"order_status": ("shipped",)}, Known(orders=(Order(number="1", fulfilment="shipped"),))),
        ({"has_order": True}, Known(orders=(Order(number="1"),))),
    ],
)
def test_a_field_tells_customers_apart(condition: dict[str, Any], known: Known) -> None:
    assert matches(Condition(**condition), known)
    assert not matches(Condition(**condition), Known())


@pytest.mark.parametrize("trust", ["none", "claimed"])
def test_who_only_claims_to_be_a_customer_has_none_of_their_tags(trust: Any) -> None:
    """Unless the condition says so itself (trust model, I2)."""
    known = Known(trust, tags=("vip",))
    assert not matches(Condition(customer_tags=("vip",)), known)
    assert matches(Condition(customer_tags=("vip",), negate=True), known)
    assert matches(Condition(customer_tags=("vip",), trust=(trust,)), known)


@pytest.mark.parametrize(("trust", "priority"), [("claimed", "medium"), ("verified", "high")])
def test_a_customer_s_priority_is_for_the_customer(trust: str, priority: str) -> None:
    desk = Desk(rule_set(customer_priorities={"vip": "high"}))
    one = message(email="ann@x.example")
    who = resolved(one, trust=trust)
    assert who.customer is not None
    desk.facts.tags[(one.workspace, who.customer.id)] = ("vip",)
    assert desk.take(one, trust=trust).ticket.priority == priority


def ticket(**changes: Any) -> Ticket:
    opened = Desk(rule_set()).take(message(fields={"department": "support"})).ticket
    return msgspec.structs.replace(opened, **changes)


@pytest.mark.parametrize(
    ("state", "yes", "no"),
    [
        ({"status": ("waiting",)}, {"status": "waiting"}, {"status": "open"}),
        ({"department": ("Support",)}, {}, {"department": "returns"}),
        ({"category": ("hardware",)}, {"category": "Hardware/Phones"}, {"category": "Exchange"}),
        ({"priority": ("low",)}, {"priority": "low"}, {}),
        ({"tags": ("chased",)}, {"tags": ("chased",)}, {}),
        ({"agent": ("ann",)}, {"agent": "ann"}, {"agent": "cem"}),
        ({"assigned": False}, {"agent": None}, {"agent": "ann"}),
    ],
)
def test_a_field_tells_tickets_apart(state: dict[str, Any], yes: dict[str, Any], no: dict[str, Any]) -> None:
    rules = rule_set(hit("status changed", Condition(ticket=TicketState(**state))))
    assert react("status changed", ticket(**yes), rules, NOW).anything
    assert not react("status changed", ticket(**no), rules, NOW).anything


def test_a_rule_reads_what_the_rules_before_it_have_set() -> None:
    first = Rule(id="one", name="one", actions=Actions(category="Hardware/Printers"))
    later = Rule(
        id="two",
        name="two",
        groups=((Condition(ticket=TicketState(category=("Hardware",))),),),
        actions=Actions(priority="urgent"),
    )
    assert Desk(rule_set(first, later)).take(message()).ticket.priority == "urgent"
    assert Desk(rule_set(later, first)).take(message()).ticket.priority == "high"


def test_only_the_rules_of_the_trigger_are_asked() -> None:
    rules = rule_set(
        Rule(id="a", name="a", when="transferred", actions=Actions(tags=("a",))),
        Rule(id="b", name="b", when="breached", actions=Actions(tags=("b",))),
    )
    effects = react("breached", ticket(), rules, NOW)
    assert effects.ticket.tags == ("b",)
    assert effects.record == {
        "rule_set": rules.version,
        "now": NOW.isoformat(),
        "trigger": "breached",
        "rules": [{"rule": "b", "words": []}],
    }
    assert react("status changed", ticket(), rules, NOW).record == {}


def test_a_rule_set_says_which_timers_it_needs() -> None:
    rules = rule_set(
        Rule(id="a", name="a", when="before deadline by 15 minutes", actions=Actions(priority="high")),
        Rule(id="b", name="b", when="unassigned for 2 hours", actions=Actions(priority="high")),
        Rule(id="c", name="c", when="breached", active=False),
        Rule(id="d", name="d", when="status changed"),
    )
    assert rules.timed == (timed("before deadline by 15 minutes"), timed("unassigned for 2 hours"))
    assert [trigger.seconds for trigger in rules.timed] == [900, 7200]
    assert timed("breached") is not None
    assert timed("before deadline by 0 minutes") is None


def test_a_transfer_takes_the_ticket_from_who_is_no_member_there() -> None:
    rules = rule_set(hit("unassigned for 1 hour", department="returns"))
    trigger = "unassigned for 1 hour"
    left = react(trigger, ticket(agent="cem"), rules, NOW)
    assert (left.ticket.department, left.ticket.agent, left.ticket.queue) == ("returns", None, "returns")
    assert left.change == "transferred"
    kept = react(trigger, ticket(agent="ann"), rules, NOW)
    assert (kept.ticket.agent, kept.ticket.queue) == ("ann", None)


@pytest.mark.parametrize(
    ("actions", "change", "fields"),
    [
        ({"assign": "nobody"}, "unassigned", {"agent": None, "queue": "support"}),
        ({"assign": "cem"}, "assigned", {"agent": "cem"}),
        ({"assign": "dee"}, "noted", {"agent": "ann"}),
        ({"status": "solved"}, "status_changed", {"status": "solved"}),
        ({"category": "Hardware/Printers"}, "categorised", {"category": "Hardware/Printers"}),
        ({"priority": "urgent"}, "prioritised", {"priority": "urgent"}),
        ({"sla": "std", "note": "look"}, "noted", {"sla": "std"}),
    ],
)
def test_what_an_action_does_to_a_ticket(
    actions: dict[str, Any], change: str, fields: dict[str, Any]
) -> None:
    effects = react("breached", ticket(agent="ann", queue=None), rule_set(hit("breached", **actions)), NOW)
    assert effects.change == change
    assert {name: getattr(effects.ticket, name) for name in fields} == fields


def test_conditions_over_texts_hold_for_timers_too() -> None:
    rules = rule_set(hit("breached", Condition(keywords=("printer",))))
    opened = message(text="my printer")
    assert react("breached", ticket(), rules, NOW, message=opened).anything
    assert not react("breached", ticket(), rules, NOW).anything


def test_a_joined_message_is_a_reply_of_the_customer_and_may_transfer_the_ticket() -> None:
    desk = Desk(
        rule_set(
            Rule(id="new", name="new", when="ticket created", actions=Actions(tags=("new",))),
            Rule(id="any", name="any", when="message received", actions=Actions(tags=("any",))),
            Rule(
                id="back",
                name="back",
                when="customer replied",
                groups=((Condition(keywords=("refund",)),),),
                actions=Actions(category="Exchange"),
            ),
        )
    )
    assert desk.take(chat("one")).ticket.tags == ("new", "any")
    joined = desk.take(chat("two", text="refund"))
    assert (joined.ticket.department, joined.ticket.category) == ("returns", "Exchange")
    assert [entry["rule"] for entry in joined.record["rules"]] == ["any", "back"]


def test_working_time_is_that_of_the_message_not_of_the_decision() -> None:
    rules = rule_set(hit("ticket created", Condition(working_time=True)))
    late = datetime(2027, 1, 2, tzinfo=UTC)
    assert Desk(rules).take(message(), now=late).ticket.tags == ("hit",)


def test_the_score_of_a_misspelt_word_is_in_the_record() -> None:
    rules = rule_set(hit("ticket created", Condition(keywords=("printer",), fuzzy=80)))
    plan = Desk(rules).take(message(text="my pritner is broken"))
    assert plan.record["rules"] == [{"rule": "r", "words": ["pritner"], "alike": {"pritner": 85.7}}]
    exact = Desk(rules).take(message(text="my printer is broken"))
    assert exact.record["rules"] == [{"rule": "r", "words": ["printer"]}]


def test_a_moved_category_keeps_its_id() -> None:
    rules: RuleSet = rule_set()
    moved = tuple(
        msgspec.structs.replace(c, path=f"Technical/{c.path}", id="printers") if "Printers" in c.path else c
        for c in rules.workspace.categories
    )
    plan = Desk(rule_set(categories=moved)).take(message(fields={"category": "Technical/Hardware/Printers"}))
    assert (plan.ticket.category, plan.ticket.category_id) == ("Technical/Hardware/Printers", "printers")
