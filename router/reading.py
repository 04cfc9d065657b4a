"""What a batch reads, in as few round trips as its locks allow: what messages name by themselves, then the tickets that turn
out to be named. Locks in the order that every writer keeps: customers, conversations of several people, tickets,
addressees of automatic answers; rotations and agents follow (`router/roster.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from router.calls import REPEATED
from router.deadlines import starts_at
from router.facts import Facts, MissedCall, TicketFacts, Twin, answered_key, is_unanswered
from router.item import Item
from router.refs import content, conversation, named, repeats_within, shared
from router.replies import addressee
from runtime.postgres import Connection
from sinks.postgres import continuity_facts, rule_store, ticket_store
from sinks.postgres.rows import StoredTicket
from sinks.postgres.sql import Answer
from sinks.postgres.ticket_store import Key, RefKey, StoredAt, TicketOwner

Families = dict[Key, tuple[UUID, ...]]
"""Customers under every id that merges gave them, where there are several."""


@dataclass(frozen=True, slots=True)
class Named:
    """What is known by what the messages say of themselves; their customers and conversations are locked."""

    erased: set[Key]
    roots: set[Key]
    stored: dict[Key, StoredAt]
    families: Families
    by_ref: dict[RefKey, tuple[UUID, ...]]
    twins: dict[tuple[UUID, str], Twin]
    tags: dict[Key, tuple[str, ...]]
    rated: dict[Key, TicketOwner]
    """Message -> the ticket that it rates, whose customer it is from: the door has seen to who may rate it."""


@dataclass(frozen=True, slots=True)
class Tickets:
    """The tickets that the messages name, locked."""

    rows: dict[Key, StoredTicket]
    newest: dict[Key, datetime]
    """When the newest message of each happened."""
    facts: Facts


async def read_named(connection: Connection, items: Sequence[Item]) -> Named:
    """One round trip, unless a customer was merged: their root is locked too, and everything is read again under its lock."""
    customers = {key for item in items if (key := item.customer)}
    refs = refs_of(items, {})
    while True:
        found = await _ask_named(connection, items, customers, refs)
        # With nobody merged they name what was asked for.
        named_now = refs_of(items, found.families) if found.families else refs
        if found.roots <= customers and named_now == refs:
            return found
        customers, refs = customers | found.roots, named_now


async def _ask_named(
    connection: Connection, items: Sequence[Item], customers: Iterable[Key], refs: Iterable[RefKey]
) -> Named:
    messages = [item.message for item in items]
    tagged = [key for item in items if (key := item.customer) and item.rules.reads("customer_tags")]
    rates = {
        item.key: (item.message.workspace, int(number))
        for item in items
        if item.message.kind == "rating" and (number := item.message.fields.get("ticket", "")).isdecimal()
    }
    locked = await ticket_store.lock_customers(connection, customers)
    await continuity_facts.lock_conversations(connection, filter(None, map(shared, messages)))
    # Two workers that hold the same message wait for each other at its customer: not before that lock.
    stored = await ticket_store.stored(connection, [item.key for item in items])
    of_same = await continuity_facts.families(connection, customers)
    by_ref = await ticket_store.tickets_by_ref(connection, refs)
    twins = await _ask_twins(connection, items)
    tags = await rule_store.customer_tags(connection, tagged)
    owners = await ticket_store.tickets_by_number(connection, rates.values())
    erased, roots = await locked()
    owned = await owners()
    rated = {key: owned[ticket] for key, ticket in rates.items() if ticket in owned}
    said = {key: Twin(*twin) for key, twin in (await twins()).items()}
    return Named(erased, roots, await stored(), await of_same(), await by_ref(), said, await tags(), rated)


def refs_of(items: Iterable[Item], families: Families) -> set[RefKey]:
    """By what their tickets may be named."""
    return {
        (item.message.workspace, *ref)
        for item in items
        for ref in named(item.resolved, item.message, _family(item.customer, families))
    }


def _family(customer: Key | None, families: Families) -> tuple[UUID, ...]:
    return families.get(customer, (customer[1],)) if customer else ()


async def _ask_twins(
    connection: Connection, items: Iterable[Item]
) -> Answer[dict[tuple[UUID, str], tuple[UUID, UUID, datetime]]]:
    said = []
    for message in (item.message for item in items):
        if words := content(message):
            at, within = message.received_at, repeats_within(message)
            said.append((message.workspace, words, at - within, at + within))
    return await continuity_facts.twins(connection, said)


async def read_tickets(connection: Connection, routed: Sequence[Item], found: Named) -> Tickets:
    """What the messages that are to be routed name; one round trip."""
    by_ref = {ref: found.by_ref[ref] for ref in refs_of(routed, found.families) if ref in found.by_ref}
    wanted = [(ref[0], ticket) for ref, tickets in by_ref.items() for ticket in tickets]
    wanted += [(workspace, twin.ticket) for (workspace, _), twin in found.twins.items()]
    locked = await ticket_store.ask_tickets(connection, wanted)
    participants = await ticket_store.participants(connection, wanted)
    newest = await ticket_store.newest_messages(connection, wanted)
    missed = await _ask_missed(connection, routed, by_ref)
    answered = await _ask_answered(connection, routed)
    rows, people = await locked(), await participants()
    tickets = {
        key[1]: TicketFacts(row.ticket, row.version, people.get(key, frozenset()))
        for key, row in rows.items()
    }
    calls = {ticket: tuple(MissedCall(*one) for one in some) for ticket, some in (await missed()).items()}
    facts = Facts(tickets, by_ref, found.tags, await answered(), found.families, found.twins, calls)
    return Tickets(rows, await newest(), facts)


async def _ask_missed(
    connection: Connection, routed: Sequence[Item], by_ref: dict[RefKey, tuple[UUID, ...]]
) -> Answer[dict[UUID, tuple[tuple[str, datetime], ...]]]:
    """Of the tickets that calls nobody took are about."""
    calls = [item.message for item in routed if is_unanswered(item.message)]
    keys = {(call.workspace, *ref) for call in calls for ref in conversation(call)}
    tickets = [(key[0], ticket) for key in keys for ticket in by_ref.get(key, ())]
    since = min(map(starts_at, calls), default=datetime.max) - REPEATED
    return await continuity_facts.missed_calls(connection, tickets, since)


async def _ask_answered(
    connection: Connection, routed: Sequence[Item]
) -> Answer[dict[tuple[UUID, str, str], datetime]]:
    """Locked: two customers who write from one address are answered once."""
    asked = [item for item in routed if item.rules.answers]
    to = {(item.message.workspace, addressee(item.message, item.rules)) for item in asked}
    keys = [answered_key(workspace, one) for workspace, one in to if one is not None]
    return await rule_store.lock_answered(connection, keys)
