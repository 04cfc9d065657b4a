"""One batch of messages, from locks to what is written. Facts are read once; each decision moves them on for the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import msgspec

from contracts.erasure import resolved_without_person, without_person
from contracts.inbound import InboundMessage
from contracts.resolved import ResolvedMessage
from router import writing
from router.continuity import continuation
from router.deadlines import starts_at
from router.decide import assign, carried, place
from router.facts import (
    Answered,
    Facts,
    Placement,
    Plan,
    Staff,
    TicketFacts,
    answered_key,
    is_echo,
    is_routed,
    refs_of,
)
from router.replies import addressee
from router.roster import Opening, staff_for
from router.ruleset import RuleSet
from runtime.postgres import Connection
from runtime.stage import Drop, Outcome, Reject
from sinks.postgres import rule_store, ticket_store
from sinks.postgres.rows import StoredTicket
from sinks.postgres.ticket_store import Key, StoredAt, TicketOwner, Writes

NumberSource = Callable[[UUID], int]
"""The next ticket number of a workspace."""


@dataclass(slots=True)
class Item:
    """One delivery on its way through the batch. `outcome` is set as soon as it is known."""

    resolved: ResolvedMessage
    message: InboundMessage
    rules: RuleSet
    outcome: Outcome | None = None
    placement: Placement | None = None
    plan: Plan | None = None

    @property
    def key(self) -> Key:
        return (self.message.workspace, self.message.message_id)


@dataclass(frozen=True, slots=True)
class _Tickets:
    """The tickets that the batch's messages name, locked."""

    rows: dict[Key, StoredTicket]
    newest: dict[Key, datetime]
    """When the newest message of each happened."""
    facts: Facts


async def decide(
    connection: Connection,
    items: Sequence[Item],
    number: NumberSource,
    now: datetime,
    reply_keys: Sequence[bytes] = (),
) -> Writes:
    """What the batch writes; `reply_keys` sign automatic answers. Locks in the order that every writer keeps: customers, tickets, rotations, agents."""
    writes = Writes()
    fresh = await _fresh(connection, items, writes, now)
    routed = [item for item in fresh if is_routed(item.message) or is_echo(item.message)]
    tickets = await _tickets(connection, routed)
    placed = [item for item in routed if _place(item, tickets.facts, number, now)]
    staff = await _staff(connection, placed)
    _assign(placed, staff, tickets, writes, reply_keys, now)
    rated = await _rated(connection, fresh)
    for item in fresh:
        late, owner = _is_late(item, tickets), rated.get(item.key)
        writing.add_message(writes, item.resolved, item.message, item.plan, late, owner)
    return writes


async def _rated(connection: Connection, fresh: Sequence[Item]) -> dict[Key, TicketOwner]:
    """Message -> the ticket that it rates, whose customer it is from: the door has seen to who may rate it."""
    numbers = {
        item.key: (item.message.workspace, int(number))
        for item in fresh
        if item.message.kind == "rating" and (number := item.message.fields.get("ticket", "")).isdecimal()
    }
    found = await ticket_store.tickets_by_number(connection, numbers.values())
    return {key: found[named] for key, named in numbers.items() if named in found}


async def _fresh(connection: Connection, items: Sequence[Item], writes: Writes, now: datetime) -> list[Item]:
    """Those that are not stored yet. Two workers that hold the same message wait for each other at its customer."""
    customers = [
        (item.message.workspace, item.resolved.customer.id) for item in items if item.resolved.customer
    ]
    erased = await ticket_store.lock_customers(connection, customers)
    for item in items:
        if (customer := item.resolved.customer) and (item.message.workspace, customer.id) in erased:
            # On its way when the customer was erased.
            item.resolved = resolved_without_person(item.message, item.resolved.position)
            item.message = without_person(item.message)
    known = await ticket_store.stored(connection, [item.key for item in items])
    return [item for item in items if _is_new(item, known, writes, now)]


def _is_new(item: Item, known: dict[Key, StoredAt], writes: Writes, now: datetime) -> bool:
    """Settles records of messages that are stored already, or come twice in this batch."""
    at = item.resolved.position
    body = item.message.raw.sha256 if item.message.raw else None
    before = known.get(item.key)
    if before is None:
        known[item.key] = StoredAt(at.topic, at.partition, at.offset, body)
        return True
    if writing.is_same_record(item.resolved, *before[:3]):
        item.outcome = Drop("stored_already")
    elif before.body_sha256 != body and item.message.channel != "email":
        # A mail's id covers its body; for others a known id with other content is a forgery or a fault.
        item.outcome = Reject("id_reuse", "the same id was stored with other content")
    else:
        writing.add_duplicate(writes, item.resolved, now)
        item.outcome = Drop("duplicate")
    return False


async def _tickets(connection: Connection, routed: Sequence[Item]) -> _Tickets:
    refs = {(item.message.workspace, *ref) for item in routed for ref in refs_of(item.message)}
    by_ref = await ticket_store.tickets_by_ref(connection, refs)
    wanted = [(ref[0], ticket) for ref, tickets in by_ref.items() for ticket in tickets]
    rows = await ticket_store.lock_tickets(connection, wanted)
    people = await ticket_store.participants(connection, wanted)
    newest = await ticket_store.newest_messages(connection, wanted)
    facts = {
        key[1]: TicketFacts(row.ticket, row.version, people.get(key, frozenset()))
        for key, row in rows.items()
    }
    tags = await _tags(connection, routed)
    return _Tickets(rows, newest, Facts(facts, by_ref, tags, await _answered(connection, routed)))


async def _answered(connection: Connection, routed: Sequence[Item]) -> dict[Answered, datetime]:
    """Locked: two customers who write from one address are answered once."""
    asked = [item for item in routed if item.rules.answers]
    to = {(item.message.workspace, addressee(item.message, item.rules)) for item in asked}
    return await rule_store.lock_answered(
        connection, [answered_key(workspace, one) for workspace, one in to if one is not None]
    )


async def _tags(connection: Connection, routed: Sequence[Item]) -> dict[Key, tuple[str, ...]]:
    customers = [
        (item.message.workspace, item.resolved.customer.id)
        for item in routed
        if item.resolved.customer and item.rules.reads("customer_tags")
    ]
    return await rule_store.customer_tags(connection, customers)


def _place(item: Item, facts: Facts, number: NumberSource, now: datetime) -> bool:
    """Finds the item's ticket, and moves the facts on for the next; False when there is none."""
    message = item.message
    if is_echo(message) and (
        item.resolved.customer is None or continuation(message, facts, item.rules, now).joins is None
    ):
        return False
    item.placement = _numbered(place(item.resolved, message, facts, item.rules, now), number)
    facts.after(item.placement)
    return True


async def _staff(connection: Connection, routed: Sequence[Item]) -> Staff:
    """Rotations and agents, locked last, for the tickets that were opened."""
    placements = [(item.rules, _placement(item)) for item in routed if _placement(item).opens]
    return await staff_for(connection, [Opening(p.ticket, rules, p.assign_to) for rules, p in placements])


def _assign(
    routed: Sequence[Item],
    staff: Staff,
    tickets: _Tickets,
    writes: Writes,
    reply_keys: Sequence[bytes],
    now: datetime,
) -> None:
    """Finds somebody for each placement, in order, and collects what it writes."""
    latest: dict[UUID, Plan] = {}
    for item in routed:
        plan = carried(assign(_placement(item), staff, item.rules), latest)
        staff.after(plan, now)
        latest[plan.ticket.id] = item.plan = plan
        key = (plan.ticket.workspace, plan.ticket.id)
        before = writes.tickets.get(key, tickets.rows.get(key))
        writing.add_plan(writes, plan, before, item.rules, reply_keys, now)


def _is_late(item: Item, tickets: _Tickets) -> bool:
    """Whether a newer message of its ticket was there before it."""
    if item.plan is None:
        return False
    newest = tickets.newest.get((item.message.workspace, item.plan.ticket.id))
    return newest is not None and starts_at(item.message) < newest


def _placement(item: Item) -> Placement:
    assert item.placement is not None
    return item.placement


def _numbered(placement: Placement, number: NumberSource) -> Placement:
    if not placement.opens:
        return placement
    ticket = msgspec.structs.replace(placement.ticket, number=number(placement.ticket.workspace))
    return replace(placement, ticket=ticket)
