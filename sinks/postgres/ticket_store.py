"""What the router reads and writes, inside its one transaction. Set-based; every statement's input is sorted by its key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple, cast
from uuid import UUID

from contracts.base import Payload, encode
from runtime.postgres import Connection
from sinks.postgres.outbox import shard_of
from sinks.postgres.rows import StoredTicket, stored_tickets
from sinks.postgres.sql import Answer, ask, columns, queries, run
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


class AnswerRow(NamedTuple):
    """`recipient`: whom it goes to, as the channel names them, of a chat the conversation; `name`: what the customer is shown
    of whoever wrote it."""

    workspace: UUID
    answer: UUID
    ticket: UUID
    channel: str
    account: str
    recipient: str
    agent: str
    """Whose it is; of a rule, the actor that rules act as."""
    name: str
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
    stored: bool = False
    """Whether these are few, and stored before, so that there is something to change. Their locks are held."""
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
    chat_answers: list[AnswerRow] = field(default_factory=list)
    """Automatic ones, which are lines of their chats."""
    webhook_calls: list[WebhookCallRow] = field(default_factory=list)
    timers: dict[TimerKey, datetime | None] = field(default_factory=dict)


_SQL = "tickets"
_ask = partial(ask, _SQL)


async def lock_customers(connection: Connection, keys: Iterable[Key]) -> Answer[tuple[set[Key], set[Key]]]:
    """Locks the customers. Answers with those that are erased, and with the roots of those that were merged, which are to
    be locked as well."""

    def shape(rows: list[tuple[UUID, UUID, UUID, bool]]) -> tuple[set[Key], set[Key]]:
        erased = {(workspace, customer) for workspace, customer, _, gone in rows if gone}
        return erased, {(workspace, root) for workspace, customer, root, _ in rows if root != customer}

    return await _ask(connection, "lock_customers", ("workspaces", "customers"), keys, shape)


async def stored(connection: Connection, keys: Iterable[Key]) -> Answer[dict[Key, StoredAt]]:
    """Which of these messages are stored."""

    def shape(rows: list[tuple[Any, ...]]) -> dict[Key, StoredAt]:
        return {(row[0], row[1]): StoredAt(*row[2:]) for row in rows}

    return await _ask(connection, "stored", ("workspaces", "messages"), keys, shape)


async def tickets_by_ref(
    connection: Connection, refs: Iterable[RefKey]
) -> Answer[dict[RefKey, tuple[UUID, ...]]]:
    """The tickets that these references name."""

    def shape(rows: list[tuple[UUID, str, str, UUID]]) -> dict[RefKey, tuple[UUID, ...]]:
        found: dict[RefKey, tuple[UUID, ...]] = {}
        for *ref, ticket in rows:
            key = cast(RefKey, tuple(ref))
            found[key] = (*found.get(key, ()), ticket)
        return found

    return await _ask(connection, "tickets_by_ref", ("workspaces", "kinds", "values"), refs, shape)


async def tickets_by_number(
    connection: Connection, keys: Iterable[tuple[UUID, int]]
) -> Answer[dict[tuple[UUID, int], TicketOwner]]:
    """(workspace, number) -> the ticket. Numbers that nobody has are not in it."""

    def shape(rows: list[tuple[Any, ...]]) -> dict[tuple[UUID, int], TicketOwner]:
        return {(workspace, number): TicketOwner(*owner) for workspace, number, *owner in rows}

    return await _ask(connection, "tickets_by_number", ("workspaces", "numbers"), keys, shape)


async def ask_tickets(connection: Connection, keys: Iterable[Key]) -> Answer[dict[Key, StoredTicket]]:
    """Locks the tickets, in order of their ids. Answers with their snapshots."""
    wanted, names = sorted(set(keys)), ("workspaces", "tickets")
    cursor = await run(connection, queries(_SQL)["lock_tickets"], names, wanted) if wanted else None

    async def answer() -> dict[Key, StoredTicket]:
        rows = await stored_tickets(cursor) if cursor else []
        return {(row.ticket.workspace, row.ticket.id): row for row in rows}

    return answer


async def lock_tickets(connection: Connection, keys: Iterable[Key]) -> dict[Key, StoredTicket]:
    """`ask_tickets` with its answer."""
    return await (await ask_tickets(connection, keys))()


async def participants(
    connection: Connection, keys: Iterable[Key]
) -> Answer[dict[Key, frozenset[tuple[str, str]]]]:
    """(kind, value) of everybody who takes part in these tickets."""

    def shape(rows: list[tuple[UUID, UUID, str, str]]) -> dict[Key, frozenset[tuple[str, str]]]:
        found: dict[Key, set[tuple[str, str]]] = {}
        for workspace, ticket, kind, value in rows:
            found.setdefault((workspace, ticket), set()).add((kind, value))
        return {key: frozenset(values) for key, values in found.items()}

    return await _ask(connection, "participants", ("workspaces", "tickets"), keys, shape)


async def newest_messages(connection: Connection, keys: Iterable[Key]) -> Answer[dict[Key, datetime]]:
    """When the newest message of each ticket happened."""

    def shape(rows: list[tuple[UUID, UUID, datetime]]) -> dict[Key, datetime]:
        return {(workspace, ticket): at for workspace, ticket, at in rows}

    return await _ask(connection, "newest_message", ("workspaces", "tickets"), keys, shape)


async def lock_rotations(
    connection: Connection, keys: Iterable[RotationKey]
) -> Answer[dict[RotationKey, tuple[str, ...]]]:
    """(workspace, department, category) -> agents in the order of their turns. Made when missing, locked in order."""

    def shape(rows: list[tuple[Any, ...]]) -> dict[RotationKey, tuple[str, ...]]:
        return {(row[0], row[1], row[2]): tuple(row[3]) for row in rows}

    wanted = sorted(set(keys))
    names = ("workspaces", "departments", "categories")
    if wanted:
        await connection.execute(queries(_SQL)["ensure_rotations"], columns(names, wanted))
    return await _ask(connection, "lock_rotations", names, wanted, shape)
