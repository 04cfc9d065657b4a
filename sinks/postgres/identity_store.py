"""Customers, handles and their history. Every function works inside the caller's transaction, set-based and sorted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from contracts.errors import Transient
from runtime.postgres import Connection
from sinks.postgres.sql import columns, queries

HandleKey = tuple[UUID, str, str]


class Holders(NamedTuple):
    """Root customers by handle."""

    verified: dict[HandleKey, UUID]
    claimed: dict[HandleKey, UUID]


class CustomerRow(NamedTuple):
    workspace: UUID
    customer: UUID
    kind: str
    value: str
    proven: bool
    name: str | None
    created: datetime


class HandleRow(NamedTuple):
    workspace: UUID
    kind: str
    value: str
    customer: UUID
    state: str
    proof: str
    since: datetime
    evidence: UUID


class EventRow(NamedTuple):
    workspace: UUID
    event: UUID
    message: UUID
    customer: UUID
    action: str
    kind: str | None
    value: str | None
    proof: str | None
    at: datetime


_EVENTS = ("workspaces", "events", "messages", "customers", "actions", "kinds", "values", "proofs", "at")


_EVENTS = ("workspaces", "events", "messages", "customers", "actions", "kinds", "values", "proofs", "at")


async def holders(connection: Connection, keys: Iterable[HandleKey]) -> Holders:
    """Who holds these handles now."""
    found = Holders({}, {})
    arrays = columns(("workspaces", "kinds", "values"), sorted(keys))
    if not arrays["kinds"]:
        return found
    rows = await connection.execute(queries("identity")["holders"], arrays)
    for workspace, kind, value, state, customer in await rows.fetchall():
        side = found.verified if state == "verified" else found.claimed
        side[(workspace, kind, value)] = customer
    return found


async def write(
    connection: Connection,
    customers: Iterable[CustomerRow],
    handles: Iterable[HandleRow],
    events: Iterable[EventRow],
) -> None:
    """Adds what is new; what is there stays. Raises `Transient` when another transaction took a verified handle in
    between: decide again on fresh facts."""
    sql = queries("identity")
    people = sorted({row[:2]: row for row in customers}.values(), key=lambda row: row[:2])
    if people:
        names = ("workspaces", "customers", "kinds", "values", "proven", "names", "created")
        await connection.execute(sql["insert_customers"], columns(names, people))
    links = sorted({row[:4]: row for row in handles}.values(), key=lambda row: row[:4])
    if links:
        await _insert_handles(connection, links)
    history = sorted({row[:2]: row for row in events}.values(), key=lambda row: row[:2])
    if history:
        await connection.execute(sql["insert_events"], columns(_EVENTS, history))


async def _insert_handles(connection: Connection, links: Sequence[HandleRow]) -> None:
    sql = queries("identity")
    names = ("workspaces", "kinds", "values", "customers", "states", "proofs", "since", "evidence")
    rows = await connection.execute(sql["insert_handles"], columns(names, links))
    inserted = {tuple(row) for row in await rows.fetchall()}
    doubtful = [row[:4] for row in links if row.state == "verified" and row[:4] not in inserted]
    if not doubtful:
        return
    arrays = columns(("workspaces", "kinds", "values", "customers"), doubtful)
    taken = await (await connection.execute(sql["taken"], arrays)).fetchone()
    if taken and taken[0]:
        raise Transient("identity: a verified handle was linked meanwhile")
