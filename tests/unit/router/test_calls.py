"""What becomes of telephone calls: the missed ones are work, the taken ones a record."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.inbound import Handle, InboundMessage
from router.facts import is_routed
from tests.support.routing import DAY, NOW, Desk, message, rule_set


def call(name: str, event: str, number: str | None = "+48221234567", **given: Any) -> InboundMessage:
    """One event of the call `name`, unless `of` names another."""
    target = given.pop("of", name)
    handles = (Handle(kind="phone", value=number),) if number else ()
    fields = {"event": event} | given.pop("fields", {})
    values = {"channel": "call", "account": "pbx", "kind": "call", "direction": "in", "fields": fields}
    return message(name, handles=handles, target=target, conversation_key=number, **(values | given))


@pytest.fixture
def desk() -> Desk:
    return Desk(rule_set())


@pytest.mark.parametrize("event", ["missed", "voicemail", "finished"])
def test_a_call_that_is_over_belongs_to_a_ticket(event: str) -> None:
    assert is_routed(call("one", event))


@pytest.mark.parametrize("event", ["incoming", "answered", "recording", "transcript"])
def test_a_call_that_goes_on_and_what_comes_after_it_do_not(event: str) -> None:
    assert not is_routed(call("one", event))


def test_nobody_is_called_back_for_a_call_of_ours() -> None:
    assert not is_routed(call("one", "missed", direction="out"))
    assert is_routed(call("one", "finished", direction="out"))


def test_a_call_within_a_messenger_is_a_record_only() -> None:
    assert not is_routed(call("one", "missed", channel="whatsapp"))


def test_missed_calls_of_a_number_are_one_open_ticket(desk: Desk) -> None:
    first, again = desk.take(call("one", "missed")), desk.take(call("two", "voicemail"))
    assert (again.ticket.id, again.ticket.messages, again.ticket.status) == (first.ticket.id, 2, "new")
    assert first.ticket.deadline is not None
    assert desk.take(call("three", "missed", "+48220000000")).ticket.id != first.ticket.id


def test_events_of_one_call_find_each_other_without_a_number(desk: Desk) -> None:
    first = desk.take(call("one", "missed", None))
    assert desk.take(call("more", "voicemail", None, of="one")).ticket.id == first.ticket.id
    assert desk.take(call("other", "missed", None)).ticket.id != first.ticket.id


def test_a_call_that_was_taken_is_a_solved_ticket_of_who_took_it(desk: Desk) -> None:
    plan = desk.take(call("one", "finished", fields={"agent": "ann"}))
    assert (plan.ticket.status, plan.ticket.agent, plan.ticket.deadline) == ("solved", "ann", None)
    assert plan.record["assignment"]["reason"] == "call:agent"
    assert desk.staff.load == {}


def test_a_call_that_was_taken_by_somebody_unknown(desk: Desk) -> None:
    assert desk.take(call("one", "finished")).ticket.agent is None
    assert desk.take(call("two", "finished", "+48220000000", fields={"agent": "zoe"})).ticket.agent is None


def test_a_call_that_was_taken_is_noted_on_the_open_ticket_and_wakes_none(desk: Desk) -> None:
    first = desk.take(call("one", "missed"))
    desk.set(first, status="waiting")
    noted = desk.take(call("two", "finished"))
    assert (noted.ticket.id, noted.ticket.status) == (first.ticket.id, "waiting")
    desk.set(first, status="solved", updated_at=NOW)
    assert desk.take(call("three", "finished")).ticket.status == "solved"
    assert desk.take(call("four", "missed"), NOW + DAY).ticket.status == "open"
