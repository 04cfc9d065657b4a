"""One batch of messages, from locks to what is written. Facts are read once; each decision moves them on for the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec

from contracts.erasure import resolved_without_person, without_person
from contracts.inbound import InboundMessage
from contracts.resolved import ResolvedMessage
from router import writing
from router.calls import REPEATED
from router.continuity import continuation
from router.deadlines import starts_at
from router.decide import place, settle
from router.facts import (
    Answered,
    Facts,
    MissedCall,
    Placement,
    Plan,
    Staff,
    TicketFacts,
    Twin,
    answered_key,
    is_echo,
    is_routed,
    is_unanswered,
)
from router.refs import Ref, content, conversation, named, repeats_within, shared
from router.replies import addressee
from router.roster import Opening, staff_for
from router.ruleset import RuleSet
from runtime.postgres import Connection
from runtime.stage import Drop, Outcome, Reject
from sinks.postgres import continuity_facts, rule_store, ticket_store
from sinks.postgres.rows import StoredTicket
from sinks.postgres.ticket_store import Key, RefKey, StoredAt, TicketOwner, Writes

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

    @property
    def customer(self) -> Key | None:
        """Null: an event of nobody who is known."""
        customer = self.resolved.customer
        return (self.message.workspace, customer.id) if customer else None


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
    """What the batch writes; `reply_keys` sign automatic answers. Locks in the order that every writer keeps: customers,
    conversations of several people, tickets, rotations, agents."""
    writes = Writes()
    fresh = await _fresh(connection, items, writes, now)
    routed = [item for item in fresh if is_routed(item.message) or is_echo(item.message)]
    tickets = await _tickets(connection, routed)
    before = tickets.facts.copy()
    placed = [item for item in routed if _place(item, tickets.facts, number, now)]
    staff = await _staff(connection, placed)
    _settle(placed, before, staff, tickets.rows, writes, reply_keys, now)
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
    customers = [key for item in items if (key := item.customer)]
    erased = await ticket_store.lock_customers(connection, customers)
    for item in items:
        if item.customer in erased:
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
    customers = [key for item in routed if (key := item.customer)]
    await continuity_facts.lock_conversations(
        connection, filter(None, (shared(item.message) for item in routed))
    )
    families = await continuity_facts.families(connection, customers)
    refs = {(item.message.workspace, *ref) for item in routed for ref in _named(item, families)}
    by_ref = await ticket_store.tickets_by_ref(connection, refs)
    twins = await _twins(connection, routed)
    wanted = [(ref[0], ticket) for ref, tickets in by_ref.items() for ticket in tickets]
    wanted += [(workspace, twin.ticket) for (workspace, _), twin in twins.items()]
    rows = await ticket_store.lock_tickets(connection, wanted)
    people = await ticket_store.participants(connection, wanted)
    newest = await ticket_store.newest_messages(connection, wanted)
    facts = {
        key[1]: TicketFacts(row.ticket, row.version, people.get(key, frozenset()))
        for key, row in rows.items()
    }
    tags, missed = await _tags(connection, routed), await _missed(connection, routed, by_ref)
    answered = await _answered(connection, routed)
    return _Tickets(rows, newest, Facts(facts, by_ref, tags, answered, families, twins, missed))


async def _answered(connection: Connection, routed: Sequence[Item]) -> dict[Answered, datetime]:
    """Locked: two customers who write from one address are answered once."""
    asked = [item for item in routed if item.rules.answers]
    to = {(item.message.workspace, addressee(item.message, item.rules)) for item in asked}
    return await rule_store.lock_answered(
        connection, [answered_key(workspace, one) for workspace, one in to if one is not None]
    )


def _named(item: Item, families: dict[Key, tuple[UUID, ...]]) -> list[Ref]:
    customer = item.customer
    family = families.get(customer, (customer[1],)) if customer else ()
    return named(item.resolved, item.message, family)


async def _twins(connection: Connection, routed: Sequence[Item]) -> dict[tuple[UUID, str], Twin]:
    said = []
    for message in (item.message for item in routed):
        if words := content(message):
            at, within = message.received_at, repeats_within(message)
            said.append((message.workspace, words, at - within, at + within))
    found = await continuity_facts.twins(connection, said)
    return {key: Twin(*twin) for key, twin in found.items()}


async def _missed(
    connection: Connection, routed: Sequence[Item], by_ref: dict[RefKey, tuple[UUID, ...]]
) -> dict[UUID, tuple[MissedCall, ...]]:
    """Of the tickets that calls nobody took are about."""
    calls = [item.message for item in routed if is_unanswered(item.message)]
    if not calls:
        return {}
    keys = {(call.workspace, *ref) for call in calls for ref in conversation(call)}
    tickets = [(key[0], ticket) for key in keys for ticket in by_ref.get(key, ())]
    since = min(map(starts_at, calls)) - REPEATED
    found = await continuity_facts.missed_calls(connection, tickets, since)
    return {ticket: tuple(MissedCall(*call) for call in missed) for ticket, missed in found.items()}


async def _tags(connection: Connection, routed: Sequence[Item]) -> dict[Key, tuple[str, ...]]:
    customers = [key for item in routed if (key := item.customer) and item.rules.reads("customer_tags")]
    return await rule_store.customer_tags(connection, customers)


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
    return msgspec.structs.replace(placement, ticket=ticket)
