"""Customers as people look at them: with everybody merged into them. Every function works in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec

from runtime.postgres import Connection
from sinks.postgres.sql import queries

T = TypeVar("T", bound=msgspec.Struct)


class StoredCustomer(NamedTuple):
    """One customer; `root`: what it is merged into, or itself."""

    id: UUID
    root: UUID
    name: str | None
    proven: bool
    created_at: datetime
    erased: bool


class HeldHandle(msgspec.Struct, frozen=True, kw_only=True):
    """A handle. `customer`: whose link it is, of those that were merged; `seen`: when it was last proven, to the day."""

    kind: str
    value: str
    state: str
    proof: str
    since: datetime
    seen: datetime
    customer: UUID


class TicketLine(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket in short. `customer`: as the ticket has it, before merges."""

    number: int
    subject: str | None
    department: str
    status: str
    created_at: datetime
    customer: UUID


class MergeLine(msgspec.Struct, frozen=True, kw_only=True):
    """A merge in force. `kind`, `value`: the handle that both had verified, when nobody merged them by hand."""

    customer: UUID
    into: UUID
    automatic: bool
    kind: str | None
    value: str | None
    actor: str
    reason: str
    at: datetime


class EventLine(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the history of links."""

    at: datetime
    action: str
    customer: UUID
    kind: str | None
    value: str | None
    proof: str | None
    other: UUID | None
    message: UUID | None
    source: str | None
    evidence: str | None
    actor: str | None
    reason: str | None


class HeldLink(NamedTuple):
    """A proven link: whose it is, how it was proven, and by which message."""

    customer: UUID
    proof: str
    evidence: UUID


async def find(connection: Connection, workspace: UUID, customer: UUID) -> StoredCustomer | None:
    """The customer with this id."""
    rows = await _rows(connection, "customer", workspace, customer=customer)
    return StoredCustomer(*rows[0]) if rows else None


async def version(connection: Connection, workspace: UUID, customer: UUID) -> int:
    """Of the customer's newest public event; to be asked under its lock."""
    rows = await _rows(connection, "version", workspace, customer=customer)
    return int(rows[0][0])


async def holder(connection: Connection, workspace: UUID, kind: str, value: str) -> UUID | None:
    """Whom a canonical handle names."""
    rows = await _rows(connection, "holder", workspace, kind=kind, value=value)
    return UUID(str(rows[0][0])) if rows else None


async def verified_by(connection: Connection, workspace: UUID, kind: str, value: str) -> UUID | None:
    """The root customer who holds a canonical handle, alone."""
    rows = await _rows(connection, "verified_by", workspace, kind=kind, value=value)
    return UUID(str(rows[0][0])) if rows else None


async def languages(connection: Connection, workspace: UUID, root: UUID) -> list[str]:
    """Language tags of a customer with everybody merged into it: of the form or chat that was used last, then of the newest ticket."""
    rows = await _rows(connection, "languages", workspace, root=root)
    return [tag for tag in rows[0] if tag]


async def handles(connection: Connection, workspace: UUID, members: Collection[UUID]) -> list[HeldHandle]:
    """What these customers are known by."""
    return _structs(HeldHandle, await _rows(connection, "handles", workspace, members=list(members)))


async def tickets(
    connection: Connection, workspace: UUID, members: Collection[UUID], visible: Sequence[str] | None
) -> list[TicketLine]:
    """Their newest tickets, 50 at most, of the departments that the reader may see (None: all)."""
    parameters = {"members": list(members), "visible": None if visible is None else list(visible)}
    return _structs(TicketLine, await _rows(connection, "tickets", workspace, **parameters))


async def ticket_ids(connection: Connection, workspace: UUID, members: Collection[UUID]) -> list[UUID]:
    """All their tickets."""
    return [row[0] for row in await _rows(connection, "ticket_ids", workspace, members=list(members))]


async def ticket_count(connection: Connection, workspace: UUID, members: Collection[UUID]) -> int:
    """How many tickets they have."""
    rows = await _rows(connection, "ticket_count", workspace, members=list(members))
    return int(rows[0][0])


async def merges(connection: Connection, workspace: UUID, members: Collection[UUID]) -> list[MergeLine]:
    """The merges that made them one, oldest first."""
    return _structs(MergeLine, await _rows(connection, "merged", workspace, members=list(members)))


async def events(connection: Connection, workspace: UUID, members: Collection[UUID]) -> list[EventLine]:
    """What happened to their links, newest first, 200 at most."""
    return _structs(EventLine, await _rows(connection, "events", workspace, members=list(members)))


async def link(
    connection: Connection, workspace: UUID, members: Collection[UUID], kind: str, value: str
) -> HeldLink | None:
    """The link by which one of them has proven this handle."""
    rows = await _rows(connection, "link", workspace, members=list(members), kind=kind, value=value)
    return HeldLink(*rows[0]) if rows else None


async def lost(connection: Connection, workspace: UUID, kind: str, value: str) -> int:
    """How many customers lost this handle."""
    rows = await _rows(connection, "lost", workspace, kind=kind, value=value)
    return int(rows[0][0])


async def requested_by(connection: Connection, workspace: UUID, source: UUID, target: UUID) -> str | None:
    """Who asked for this merge, which needs a second person."""
    rows = await _rows(connection, "request", workspace, source=source, target=target)
    return str(rows[0][0]) if rows else None


async def request(
    connection: Connection,
    workspace: UUID,
    source: UUID,
    target: UUID,
    actor: str,
    reason: str,
    at: datetime,
) -> None:
    """Keeps a merge for a second person."""
    parameters = {"workspace": workspace, "source": source, "target": target, "actor": actor}
    await connection.execute(queries("customers")["ask"], parameters | {"reason": reason, "at": at})


async def answered(connection: Connection, workspace: UUID, source: UUID, target: UUID) -> None:
    """Forgets the request."""
    parameters = {"workspace": workspace, "source": source, "target": target}
    await connection.execute(queries("customers")["answered"], parameters)


async def _rows(connection: Connection, query: str, workspace: UUID, **parameters: Any) -> list[Any]:
    parameters["workspace"] = workspace
    return await (await connection.execute(queries("customers")[query], parameters)).fetchall()


def _structs(kind: type[T], rows: list[Any]) -> list[T]:
    return [kind(**dict(zip(kind.__struct_fields__, row, strict=True))) for row in rows]
