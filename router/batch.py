"""One batch of messages, from locks to what is written. Facts are read once; each decision moves them on for the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from contracts.erasure import resolved_without_person, without_person
from router import writing
from router.continuity import continuation
from router.deadlines import starts_at
from router.decide import place, settle
from router.facts import Facts, Placement, Staff, is_echo, is_routed
from router.item import Item
from router.reading import Named, Tickets, read_named, read_tickets
from router.roster import Opening, staff_for
from runtime.postgres import Connection
from runtime.stage import Drop, Reject
from sinks.postgres.rows import StoredTicket
from sinks.postgres.ticket_store import Key, StoredAt, Writes

NumberSource = Callable[[UUID], int]
"""The next ticket number of a workspace."""


async def decide(
    connection: Connection,
    items: Sequence[Item],
    number: NumberSource,
    now: datetime,
    reply_keys: Sequence[bytes] = (),
) -> Writes:
    """What the batch writes; `reply_keys` sign automatic answers. Locks as `router/reading.py` says, then rotations and
    agents."""
    writes = Writes()
    found = await read_named(connection, items)
    fresh = _fresh(items, found, writes, now)
    routed = [item for item in fresh if is_routed(item.message) or is_echo(item.message)]
    tickets = await read_tickets(connection, routed, found)
    before = tickets.facts.copy()
    placed = [item for item in routed if _place(item, tickets.facts, number, now)]
    staff = await _staff(connection, placed)
    _settle(placed, before, staff, tickets.rows, writes, reply_keys, now)
    for item in fresh:
        late, owner = _is_late(item, tickets), found.rated.get(item.key)
        writing.add_message(writes, item.resolved, item.message, item.plan, late, owner)
    return writes


def _fresh(items: Sequence[Item], found: Named, writes: Writes, now: datetime) -> list[Item]:
    """Those that are not stored yet."""
    for item in items:
        if item.customer in found.erased:
            # On its way when the customer was erased.
            item.resolved = resolved_without_person(item.message, item.resolved.position)
            item.message = without_person(item.message)
    return [item for item in items if _is_new(item, found.stored, writes, now)]


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


def _place(item: Item, facts: Facts, number: NumberSource, now: datetime) -> bool:
    """Finds the item's ticket, and moves the facts on for the next; False when there is none."""
    message = item.message
    if is_echo(message) and (
        item.customer is None or continuation(item.resolved, message, facts, item.rules, now).joins is None
    ):
        return False
    item.placement = _numbered(place(item.resolved, message, facts, item.rules, now), number)
    facts.after(item.placement)
    return True


async def _staff(connection: Connection, routed: Sequence[Item]) -> Staff:
    """Rotations and agents, locked last, for the tickets that were opened."""
    placements = [(item.rules, _placement(item)) for item in routed if _placement(item).opens]
    return await staff_for(connection, [Opening(p.ticket, rules, p.assign_to) for rules, p in placements])


def _settle(
    placed: Sequence[Item],
    facts: Facts,
    staff: Staff,
    rows: dict[Key, StoredTicket],
    writes: Writes,
    reply_keys: Sequence[bytes],
    now: datetime,
) -> None:
    """Finds somebody for each placement, in order, and collects what it writes. `facts`: before the first was placed."""
    for item in placed:
        plan = item.plan = settle(_placement(item), facts, staff, item.rules, now)
        key = (plan.ticket.workspace, plan.ticket.id)
        before = writes.tickets.get(key, rows.get(key))
        writing.add_plan(writes, plan, before, item.rules, reply_keys, now)


def _is_late(item: Item, tickets: Tickets) -> bool:
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
    return msgspec.structs.replace(placement, ticket=ticket)
