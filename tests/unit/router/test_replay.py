"""A decision record holds all that was read: decided again from it, the bytes are the same."""

from __future__ import annotations

from uuid import uuid4

import msgspec
import pytest

from contracts.base import encode
from contracts.inbound import InboundMessage
from contracts.resolved import Order, RecentTicket
from router.decide import assign, place
from router.facts import Facts, Staff
from router.replay import again
from tests.support.routing import DAY, NOW, Desk, chat, mail, message, resolved, rule_set

RULES = rule_set()


def _returned(desk: Desk) -> InboundMessage:
    desk.take(message("first", fields={"department": "returns"}))
    return message("second", fields={"department": "returns"})


def _least_open(desk: Desk) -> InboundMessage:
    desk.take(message("first", fields={"category": "Hardware/Phones"}))
    return message("second", fields={"category": "Hardware/Phones"})


def _stranger(desk: Desk) -> InboundMessage:
    desk.take(mail("m1", "anna@x.example"))
    desk.take(mail("m2", "bob@x.example"))
    return mail("m3", "eve@y.example", "m1", "m2", "m1")


def _too_late(desk: Desk) -> InboundMessage:
    desk.set(desk.take(chat("one")), status="solved", updated_at=NOW - 8 * DAY)
    return chat("two")


@pytest.mark.parametrize("story", [_returned, _least_open, _stranger, _too_late])
def test_an_opening_decided_again_gives_the_same_bytes(story: object) -> None:
    desk = Desk(RULES)
    inbound = story(desk)  # type: ignore[operator]
    plan = desk.take(inbound)
    assert plan.placement.opens
    stored = encode(plan.record)
    assert encode(again(msgspec.json.decode(stored), resolved(inbound), inbound, RULES)) == stored


def test_orders_and_earlier_tickets_are_part_of_what_was_read() -> None:
    inbound = message("one", fields={"department": "returns"})
    known = msgspec.structs.replace(
        resolved(inbound),
        order_numbers=("1042",),
        order_context="available",
        orders=(Order(number="1042", named=True, placed_at=NOW),),
        recent_tickets=(RecentTicket(ticket=uuid4(), number=7, created_at=NOW),),
    )
    plan = assign(place(known, inbound, Facts(), RULES, NOW), Staff(), RULES)
    assert plan.ticket.context == known.context
    stored = encode(plan.record)
    assert encode(again(msgspec.json.decode(stored), resolved(inbound), inbound, RULES)) == stored


def test_other_rules_give_other_bytes() -> None:
    desk = Desk(RULES)
    inbound = message("one", fields={"department": "returns"})
    record = desk.take(inbound).record
    other = rule_set(departments=RULES.workspace.departments[:1])
    assert encode(again(record, resolved(inbound), inbound, other)) != encode(record)
