"""Telephone calls: one open ticket a number, more urgent when it rings again, and answered ones where the person's work is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from contracts.inbound import Handle, InboundMessage
from router.calls import raised
from router.facts import Plan
from tests.support.routing import DAY, NOW, Desk, mail, message, rule_set

ANNA = uuid4()
NUMBER = "+48601100200"


@pytest.fixture
def desk() -> Desk:
    return Desk(rule_set())


def call(name: str, event: str = "missed", minutes: int = 0, **given: Any) -> InboundMessage:
    """A call of the person's; `name` is the call's."""
    values = {
        "channel": "call",
        "account": "pbx",
        "kind": "call",
        "target": name,
        "conversation_key": NUMBER,
        "handles": (Handle(kind="phone", value=NUMBER),),
        "fields": {"event": event},
        "text": None,
        "received_at": NOW + timedelta(minutes=minutes),
    }
    return message(f"{name}:{event}", **(values | given))


def take(desk: Desk, inbound: InboundMessage) -> Plan:
    return desk.take(inbound, inbound.received_at, customer=ANNA)


def test_missed_calls_of_a_number_are_one_open_ticket(desk: Desk) -> None:
    first = take(desk, call("1"))
    again = take(desk, call("2", "voicemail", minutes=3 * 60))
    other = take(desk, call("3", conversation_key="+48601100999"))
    assert again.ticket.id == first.ticket.id != other.ticket.id
    assert again.ticket.priority == first.ticket.priority


def test_a_number_that_calls_again_within_the_hour_is_more_urgent_by_a_step_each_time(desk: Desk) -> None:
    found = [take(desk, call(str(n), minutes=n * 30)).ticket for n in range(5)]
    assert [ticket.priority for ticket in found] == ["medium", "high", "urgent", "urgent", "urgent"]
    assert len({ticket.id for ticket in found}) == 1


def test_what_else_is_told_of_the_same_call_is_no_second_call(desk: Desk) -> None:
    first = take(desk, call("1"))
    second = take(desk, call("1", "voicemail", minutes=1))
    assert (second.ticket.id, second.ticket.priority) == (first.ticket.id, "medium")


def test_why_it_is_more_urgent_is_recorded(desk: Desk) -> None:
    take(desk, call("1"))
    record = take(desk, call("2", minutes=59)).record
    assert record["priority"] == {"value": "high", "reason": "call.repeated", "before": "medium"}


def test_nothing_is_more_urgent_than_urgent() -> None:
    assert [raised(one) for one in ("low", "medium", "high", "urgent")] == [
        "medium",
        "high",
        "urgent",
        "urgent",
    ]


def test_an_answered_call_goes_on_the_open_ticket_of_its_number(desk: Desk) -> None:
    first = take(desk, call("1"))
    answered = take(desk, call("2", "finished", minutes=5))
    assert (answered.ticket.id, answered.ticket.status) == (first.ticket.id, "new")


def test_an_answered_call_goes_on_whatever_its_customer_has_open(desk: Desk) -> None:
    open_one = desk.take(mail("m1", "anna@x.example"), customer=ANNA)
    answered = take(desk, call("2", "finished", minutes=5))
    assert (answered.ticket.id, answered.record["continuity"]["reason"]) == (
        open_one.ticket.id,
        "call.customer",
    )
    assert answered.ticket.status == "new"


def test_an_answered_call_reopens_nothing(desk: Desk) -> None:
    first = take(desk, call("1"))
    desk.set(first, status="solved")
    answered = take(desk, call("2", "finished", minutes=5))
    assert (answered.placement.opens, answered.ticket.status) == (True, "solved")
    assert answered.ticket.refers_to == first.ticket.id


def test_a_missed_call_goes_on_no_mail(desk: Desk) -> None:
    """Its caller id may be forged, and nobody has spoken with the person."""
    desk.take(mail("m1", "anna@x.example"), customer=ANNA)
    assert take(desk, call("1")).placement.opens


def test_a_number_may_be_called_again_after_its_ticket_is_solved(desk: Desk) -> None:
    first = take(desk, call("1"))
    desk.set(first, status="solved", updated_at=NOW)
    again = desk.take(call("2"), NOW + DAY, customer=ANNA)
    assert (again.ticket.id, again.ticket.status) == (first.ticket.id, "open")
