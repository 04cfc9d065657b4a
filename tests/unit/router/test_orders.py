"""Messages about an order find the open ticket of their customer that is about it; nobody else's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from contracts.base import encode
from contracts.inbound import InboundMessage
from contracts.resolved import Order
from contracts.rules import Actions, Rule
from router.facts import Plan
from router.replay import again
from tests.support.routing import DAY, NOW, Desk, chat, mail, message, resolved, rule_set

ANNA, EVE = uuid4(), uuid4()
VERIFIED: dict[str, Any] = {"customer": ANNA, "trust": "verified", "order_numbers": ("1042",)}
CLAIMED: dict[str, Any] = VERIFIED | {"trust": "claimed"}


@pytest.fixture
def desk() -> Desk:
    return Desk(rule_set())


def signed_in(desk: Desk, **known: Any) -> Plan:
    """A chat about order 1042."""
    about = {"customer": ANNA, "trust": "authoritative", "order_numbers": ("1042",)}
    return desk.take(chat("chat", channel="chat"), **(about | known))


def form(name: str, text: str = "order 1042?") -> InboundMessage:
    return message(name, email="anna@x.example", text=text)


def why(plan: Plan) -> tuple[str, list[str | None]]:
    record = plan.record["continuity"]
    return record["reason"], [one["lost"] for one in record.get("considered", ())]


def test_a_mail_about_the_order_of_an_open_chat_goes_on_its_ticket(desk: Desk) -> None:
    first = signed_in(desk)
    second = desk.take(mail("m1", "anna@x.example", proof="verified"), **VERIFIED)
    assert (second.ticket.id, why(second)) == (first.ticket.id, ("order", [None]))
    # And what answers that mail finds the ticket by its thread.
    assert desk.take(mail("m2", "anna@x.example", "m1"), customer=ANNA).ticket.id == first.ticket.id


def test_other_spellings_of_the_number_are_the_same_order(desk: Desk) -> None:
    first = signed_in(desk, order_numbers=("A-17",))
    orders = (Order(number="#a-17", named=True),)
    second = desk.take(mail("m1", "anna@x.example"), customer=ANNA, trust="verified", orders=orders)
    assert second.ticket.id == first.ticket.id


def test_an_order_that_the_message_does_not_name_joins_nothing(desk: Desk) -> None:
    first = signed_in(desk)
    orders = (Order(number="1042", proven=True),)
    second = desk.take(mail("m1", "anna@x.example"), customer=ANNA, trust="verified", orders=orders)
    assert (second.ticket.id != first.ticket.id, why(second)) == (True, ("new_conversation", []))


@pytest.mark.parametrize(("opener", "writer"), [("claimed", "verified"), ("authoritative", "claimed")])
def test_where_one_side_may_be_anybody_a_new_ticket_refers_to_the_old_one(
    desk: Desk, opener: str, writer: str
) -> None:
    first = signed_in(desk, trust=opener)
    second = desk.take(mail("m1", "anna@x.example"), **(VERIFIED | {"trust": writer}))
    assert (second.placement.opens, second.ticket.refers_to) == (True, first.ticket.id)
    assert why(second) == ("order.unproven", ["unproven"])


def test_a_workspace_may_link_rather_than_append() -> None:
    desk = Desk(rule_set(continuity="link"))
    first = signed_in(desk)
    second = desk.take(mail("m1", "anna@x.example"), **VERIFIED)
    assert (second.ticket.refers_to, why(second)) == (first.ticket.id, ("order.policy", ["policy"]))


def test_somebody_else_with_the_same_number_names_nothing(desk: Desk) -> None:
    signed_in(desk)
    other = desk.take(mail("m1", "eve@y.example"), **(VERIFIED | {"customer": EVE}))
    assert (other.placement.opens, other.ticket.refers_to, why(other)) == (
        True,
        None,
        ("new_conversation", []),
    )


def test_a_forged_mail_never_joins(desk: Desk) -> None:
    first = signed_in(desk)
    forged = desk.take(mail("m1", "anna@x.example", authentication="fail"), **CLAIMED)
    assert (forged.ticket.refers_to, why(forged)[0]) == (first.ticket.id, "mail.authentication_failed")


def test_the_same_number_in_another_store_is_another_order() -> None:
    desk = Desk(rule_set())
    first = desk.take(chat("one", store="a"), **VERIFIED)
    second = desk.take(mail("m1", "anna@x.example", store="b"), **VERIFIED)
    assert (second.ticket.refers_to, why(second)) == (
        first.ticket.id,
        ("order.other_store", ["other_store"]),
    )


@pytest.mark.parametrize(
    ("status", "age", "lost"),
    [
        ("open", 30, None),
        ("open", 31, "silent"),
        ("waiting", 30, None),
        ("solved", 7, None),
        ("solved", 8, "too_old"),
    ],
)
def test_windows(desk: Desk, status: str, age: int, lost: str | None) -> None:
    first = signed_in(desk)
    desk.set(first, status=status, updated_at=NOW)
    second = desk.take(mail("m1", "anna@x.example"), NOW + age * DAY, **VERIFIED)
    assert why(second)[1] == [lost]
    assert second.placement.opens is (lost is not None)
    assert second.placement.reopens is (status == "solved" and lost is None)
    if lost:
        assert second.ticket.refers_to == first.ticket.id


def test_an_open_ticket_is_taken_before_a_solved_one(desk: Desk) -> None:
    old = signed_in(desk)
    newer = desk.take(chat("two", "777", channel="chat"), **(VERIFIED | {"order_numbers": ("7",)}))
    desk.facts.by_ref[(newer.ticket.workspace, "order", f"{ANNA}:1042")] = (old.ticket.id, newer.ticket.id)
    desk.set(newer, status="solved")
    assert desk.take(mail("m1", "anna@x.example"), **VERIFIED).ticket.id == old.ticket.id


def test_a_customer_is_found_under_every_id_that_merges_gave_them(desk: Desk) -> None:
    first, merged = signed_in(desk), uuid4()
    workspace = first.ticket.workspace
    desk.facts.families[(workspace, merged)] = tuple(sorted((ANNA, merged)))
    second = desk.take(mail("m1", "anna@x.example"), **(VERIFIED | {"customer": merged}))
    assert second.ticket.id == first.ticket.id


def test_the_thread_wins_over_the_order(desk: Desk) -> None:
    signed_in(desk)
    thread = desk.take(mail("m1", "anna@x.example"), customer=ANNA, trust="verified")
    assert desk.take(mail("m2", "anna@x.example", "m1"), **VERIFIED).ticket.id == thread.ticket.id


def test_a_form_goes_on_an_earlier_form_of_the_same_address(desk: Desk) -> None:
    first = desk.take(form("one"), **CLAIMED)
    second = desk.take(form("two", "still order 1042!"), **CLAIMED)
    assert (second.ticket.id, why(second)[0]) == (first.ticket.id, "order")
    other = message("three", email="eve@y.example", text="order 1042?")
    assert desk.take(other, **CLAIMED).ticket.refers_to == first.ticket.id


# --- the same words twice ---


def test_a_form_that_is_sent_twice_is_marked_and_opens_one_ticket(desk: Desk) -> None:
    first, second, third = (desk.take(form(name), **CLAIMED) for name in ("one", "two", "three"))
    assert first.placement.duplicate_of is None
    assert second.placement.duplicate_of == first.placement.message.message_id
    assert third.placement.duplicate_of == second.placement.message.message_id
    assert {plan.ticket.id for plan in (first, second, third)} == {first.ticket.id}
    assert why(second) == ("duplicate", [None])


def test_what_is_sent_twice_is_no_reply_of_the_customer() -> None:
    back = Rule(id="back", name="back", when="customer replied", actions=Actions(tags=("replied",)))
    desk = Desk(rule_set(back))
    first, second = desk.take(form("one"), **CLAIMED), desk.take(form("two"), **CLAIMED)
    assert (second.ticket.id, second.ticket.tags) == (first.ticket.id, ())
    assert desk.take(form("three", "order 1042: hello?"), **CLAIMED).ticket.tags == ("replied",)


@pytest.mark.parametrize(
    "other",
    [
        {"text": "other words"},
        {"email": "eve@y.example"},
        {"subject": "Hello"},
        {"fields": {"order_number": "1"}},
        {"store": "b"},
        {"received_at": NOW + timedelta(minutes=6)},
    ],
)
def test_what_differs_is_no_duplicate(desk: Desk, other: dict[str, Any]) -> None:
    given: dict[str, Any] = {"email": "anna@x.example", "text": "hello"}
    desk.take(message("one", **given))
    second = desk.take(message("two", **(given | other)))
    assert (second.placement.duplicate_of, second.placement.opens) == (None, True)


def test_people_who_are_not_known_may_say_the_same(desk: Desk) -> None:
    desk.take(message("one"))
    assert desk.take(message("two")).placement.opens


def test_one_mail_to_two_mailboxes_of_a_store_is_one_ticket(desk: Desk) -> None:
    first = desk.take(mail("m1", "anna@x.example", store="a"))
    copy = mail("again", "anna@x.example", store="a", account="billing", fields={"message_id": "m1"})
    elsewhere = mail("third", "anna@x.example", store="b", account="b", fields={"message_id": "m1"})
    assert desk.take(copy).placement.duplicate_of == first.placement.message.message_id
    assert desk.take(elsewhere).placement.opens


@pytest.mark.parametrize("solved_days", [None, 8])
def test_what_was_decided_is_decided_again(solved_days: int | None) -> None:
    """From the record alone, for each kind of reference."""
    rules = rule_set()
    desk = Desk(rules)
    first, merged = signed_in(desk, customer=ANNA), uuid4()
    if solved_days:
        desk.set(first, status="solved", updated_at=NOW - solved_days * DAY)
    desk.facts.families[(first.ticket.workspace, merged)] = tuple(sorted((ANNA, merged)))
    known = CLAIMED | {"customer": merged}
    inbound = mail("m1", "anna@x.example")
    plan = desk.take(inbound, **known)
    assert plan.placement.opens
    stored = encode(plan.record)
    decided = again(msgspec.json.decode(stored), resolved(inbound, **known), inbound, rules)
    assert encode(decided) == stored


def test_a_duplicate_of_what_is_solved_for_long_is_decided_again() -> None:
    rules = rule_set(reopen_days=0)
    desk = Desk(rules)
    desk.set(desk.take(form("one"), **CLAIMED), status="solved", updated_at=NOW - DAY)
    inbound = form("two")
    plan = desk.take(inbound, **CLAIMED)
    assert (plan.placement.opens, why(plan)[0]) == (True, "duplicate.too_old")
    stored = encode(plan.record)
    decided = again(msgspec.json.decode(stored), resolved(inbound, **CLAIMED), inbound, rules)
    assert encode(decided) == stored
