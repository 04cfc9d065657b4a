"""Customers, handles and their history. Every function works inside the caller's transaction, set-based and sorted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg.errors import UniqueViolation

from contracts.errors import Transient
from runtime.postgres import Connection
from sinks.postgres.sql import columns, queries

HandleKey = tuple[UUID, str, str]
"""Workspace, kind, canonical value."""


class HolderRow(NamedTuple):
    """Who holds a handle, as a root customer; since when, and which message made the link."""

    key: HandleKey
    verified: bool
    since: datetime
    customer: UUID
    evidence: UUID


class CustomerRow(NamedTuple):
    workspace: UUID
    customer: UUID
    kind: str
    value: str
    proven: bool
    name: str | None
    created: datetime


class LinkRow(NamedTuple):
    """A handle of a customer. `event`: the id of the event that the link is in the history; a proof of `claimed` makes a
    claim, any other a verified handle."""

    workspace: UUID
    kind: str
    value: str
    customer: UUID
    proof: str
    since: datetime
    evidence: UUID
    event: UUID


_KEY = ("workspaces", "kinds", "values")
_CUSTOMERS = ("workspaces", "customers", "founding_kinds", "founding_values", "proven", "names", "created")
_LINKS = ("link_workspaces", "kinds", "values", "holders", "proofs", "since", "evidence", "events")


async def holders(connection: Connection, keys: Iterable[HandleKey]) -> list[HolderRow]:
    """Who holds these handles now: at most one row for its verified holder, and one for the earliest claimant."""
    wanted = list(keys)
    if not wanted:
        return []
    rows = await connection.execute(queries("identity")["holders"], columns(_KEY, wanted))
    return [
        HolderRow(wanted[number - 1], state == "verified", since, customer, evidence)
        for number, state, since, customer, evidence in await rows.fetchall()
    ]


async def write(connection: Connection, customers: Iterable[CustomerRow], links: Iterable[LinkRow]) -> None:
    """Adds what is new; what is there stays. Raises `Transient` when another transaction took a verified handle in
    between: decide again on fresh facts."""
    people = sorted({row[:2]: row for row in customers}.values(), key=lambda row: row[:2])
    shown = sorted(links, key=lambda row: row[:4])
    if not people and not shown:
        return
    arrays = columns(_CUSTOMERS, people) | columns(_LINKS, shown)
    rows = await connection.execute(queries("identity")["write"], arrays)
    proven = [row for row in shown if row.proof != "claimed"]
    if not proven:
        return
    new = {tuple(row) for row in await rows.fetchall()}
    doubtful = [row for row in proven if row[:4] not in new]
    if doubtful:
        await _settle(connection, doubtful)


async def _settle(connection: Connection, doubtful: Sequence[LinkRow]) -> None:
    """Proofs of handles that were there: claimed by the same customer, linked by the same message, or lost to another."""
    sql = queries("identity")
    names = (*_KEY, "customers", "proofs", "since", "evidence")
    arrays = columns(names, [row[:7] for row in doubtful])
    try:
        await connection.execute(sql["promote"], arrays)
    except UniqueViolation:
        raise Transient("identity: a verified handle was linked meanwhile") from None
    taken = await (await connection.execute(sql["taken"], arrays)).fetchone()
    if taken and taken[0]:
        raise Transient("identity: a verified handle was linked meanwhile")
