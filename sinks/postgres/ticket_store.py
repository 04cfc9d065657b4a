"""What the router reads and writes, inside its one transaction. Set-based; every statement's input is sorted by its key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from contracts.base import Payload, encode
from runtime.postgres import Connection
from sinks.postgres.outbox import shard_of
from sinks.postgres.rows import StoredTicket, stored_tickets
from sinks.postgres.sql import columns, keyed, queries, run
from sinks.postgres.timer_store import TimerKey

Key = tuple[UUID, UUID]
"""Workspace and the id of a customer, ticket or message."""
RotationKey = tuple[UUID, str, str]
"""Workspace, department, category (empty for the department itself)."""
RefKey = tuple[UUID, str, str]
"""Workspace, kind of reference (`mail`, `chat` …), value."""


class StoredAt(NamedTuple):
    """From which record a message was stored, and the hash of its raw bytes."""

    topic: str
    partition: int
    offset: int
    body_sha256: str | None


class TicketOwner(NamedTuple):
    """A ticket and whose it is."""

    ticket: UUID
    customer: UUID


class MessageRow(NamedTuple):
    workspace: UUID
    message: UUID
    ticket: UUID | None
    customer: UUID | None
    channel: str
    account: str
    provider_id: str
    kind: str
    direction: str
    target: str | None
    body_sha256: str | None
    happened: datetime
    received: datetime
    out_of_order: bool
    topic: str
    partition: int
    offset: int
    payload: str
    content: str | None = None
    duplicate_of: UUID | None = None


class DuplicateRow(NamedTuple):
    topic: str
    partition: int
    offset: int
    message: UUID
    at: datetime


class DecisionRow(NamedTuple):
    workspace: UUID
    message: UUID
    ticket: UUID
    rule_set: str
    decided: datetime
    record: str


class AuditRow(NamedTuple):
    workspace: UUID
    ticket: UUID
    version: int
    at: datetime
    actor: str
    action: str
    detail: str
    hash: bytes


class OutboxRow(NamedTuple):
    id: UUID
    aggregate: str
    aggregate_id: UUID
    type: str
    payload: bytes
    workspace: UUID
    trace: str | None
    shard: int
    created: datetime

    @classmethod
    def of(
        cls,
        aggregate: str,
        aggregate_id: UUID,
        identity: UUID,
        kind: str,
        payload: Payload,
        workspace: UUID,
        at: datetime,
        trace: str | None = None,
    ) -> OutboxRow:
        """A row that the relay publishes under the aggregate's key. `identity`: the event's, by which readers drop repeats."""
        shard = shard_of(aggregate_id)
        return cls(identity, aggregate, aggregate_id, kind, encode(payload), workspace, trace, shard, at)


class NoteRow(NamedTuple):
    workspace: UUID
    note: UUID
    ticket: UUID
    agent: str
    """Whose it is; of a rule, the actor that rules act as."""
    text: str
    at: datetime


class WebhookCallRow(NamedTuple):
    workspace: UUID
    call: UUID
    webhook: str
    url: str
    body: str
    at: datetime


@dataclass(slots=True)
class Writes:
    """Everything one batch adds. Lists may be in any order: `write` sorts them."""

    messages: list[MessageRow] = field(default_factory=list)
    duplicates: list[DuplicateRow] = field(default_factory=list)
    tickets: dict[Key, StoredTicket] = field(default_factory=dict)
    """The last snapshot of each ticket of the batch."""
    refs: set[tuple[UUID, str, str, UUID]] = field(default_factory=set)
    archived: set[tuple[UUID, UUID, str]] = field(default_factory=set)
    """Messages and the bytes that they need of the archive."""
    participants: set[tuple[UUID, UUID, str, str]] = field(default_factory=set)
    decisions: list[DecisionRow] = field(default_factory=list)
    audit: list[AuditRow] = field(default_factory=list)
    outbox: list[OutboxRow] = field(default_factory=list)
    rotations: dict[RotationKey, tuple[str, ...]] = field(default_factory=dict)
    assigned: dict[tuple[UUID, str], datetime] = field(default_factory=dict)
    answered: dict[tuple[UUID, str, str], datetime] = field(default_factory=dict)
    """(workspace, channel, address) -> when it gets an automatic answer."""
    notes: list[NoteRow] = field(default_factory=list)
    webhook_calls: list[WebhookCallRow] = field(default_factory=list)
    timers: dict[TimerKey, datetime | None] = field(default_factory=dict)


_SQL = "tickets"
_rows = partial(keyed, _SQL)


async def lock_customers(connection: Connection, keys: Iterable[Key]) -> set[Key]:
    """Locks the customers, and the roots of merged ones. Returns those that are erased."""
    rows = await _rows(connection, "lock_customers", ("workspaces", "customers"), keys)
    merged = [(workspace, root) for workspace, customer, root, _ in rows if root != customer]
    await _rows(connection, "lock_customers", ("workspaces", "customers"), merged)
    return {(workspace, customer) for workspace, customer, _, erased in rows if erased}


async def stored(connection: Connection, keys: Iterable[Key]) -> dict[Key, StoredAt]:
    """Which of these messages are stored."""
    rows = await _rows(connection, "stored", ("workspaces", "messages"), keys)
    return {(row[0], row[1]): StoredAt(*row[2:]) for row in rows}


async def tickets_by_ref(connection: Connection, refs: Iterable[RefKey]) -> dict[RefKey, tuple[UUID, ...]]:
    """The tickets that these references name."""
    found: dict[RefKey, tuple[UUID, ...]] = {}
    for workspace, kind, value, ticket in await _rows(
        connection, "tickets_by_ref", ("workspaces", "kinds", "values"), refs
    ):
        found[(workspace, kind, value)] = (*found.get((workspace, kind, value), ()), ticket)
    return found


async def tickets_by_number(
    connection: Connection, keys: Iterable[tuple[UUID, int]]
) -> dict[tuple[UUID, int], TicketOwner]:
    """(workspace, number) -> the ticket. Numbers that nobody has are not in it."""
    rows = await _rows(connection, "tickets_by_number", ("workspaces", "numbers"), keys)
    return {(workspace, number): TicketOwner(*owner) for workspace, number, *owner in rows}


async def lock_tickets(connection: Connection, keys: Iterable[Key]) -> dict[Key, StoredTicket]:
    """Locks the tickets, in order of their ids, and returns their snapshots."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    cursor = await run(connection, queries(_SQL)["lock_tickets"], ("workspaces", "tickets"), wanted)
    return {(row.ticket.workspace, row.ticket.id): row for row in await stored_tickets(cursor)}


async def participants(connection: Connection, keys: Iterable[Key]) -> dict[Key, frozenset[tuple[str, str]]]:
    """(kind, value) of everybody who takes part in these tickets."""
    found: dict[Key, set[tuple[str, str]]] = {}
    for workspace, ticket, kind, value in await _rows(
        connection, "participants", ("workspaces", "tickets"), keys
    ):
        found.setdefault((workspace, ticket), set()).add((kind, value))
    return {key: frozenset(values) for key, values in found.items()}


async def newest_messages(connection: Connection, keys: Iterable[Key]) -> dict[Key, datetime]:
    """When the newest message of each ticket happened."""
    rows = await _rows(connection, "newest_message", ("workspaces", "tickets"), keys)
    return {(workspace, ticket): at for workspace, ticket, at in rows}


async def lock_rotations(
    connection: Connection, keys: Iterable[RotationKey]
) -> dict[RotationKey, tuple[str, ...]]:
    """(workspace, department, category) -> agents in the order of their turns. Made when missing, locked in order."""
    wanted = sorted(set(keys))
    names = ("workspaces", "departments", "categories")
    if wanted:
        await connection.execute(queries(_SQL)["ensure_rotations"], columns(names, wanted))
    rows = await _rows(connection, "lock_rotations", names, wanted)
    return {(row[0], row[1], row[2]): tuple(row[3]) for row in rows}
