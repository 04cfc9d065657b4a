"""Customers, handles and their history. Every function works inside the caller's transaction, set-based and sorted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from psycopg.errors import UniqueViolation

from contracts.errors import Transient
from runtime.postgres import Connection
from sinks.postgres.identity_rows import CustomerRow, EventRow, HandleKey, HolderRow
from sinks.postgres.sql import columns, queries

_KEY = ("workspaces", "kinds", "values")
_LINK = (*_KEY, "customers")
_CUSTOMERS = (
    *("workspaces", "customers", "founding_kinds", "founding_values", "proven", "names", "created"),
    "generations",
)
_EVENTS = (
    *("event_workspaces", "events", "actions", "holders", "kinds", "values", "proofs", "at", "messages"),
    *("others", "sources", "evidence", "actors", "reasons"),
)
_MADE = ("linked", "disputed")


async def holders(connection: Connection, keys: Iterable[HandleKey]) -> list[HolderRow]:
    """Who holds these handles now: the earliest claimant, and everybody who proved it, also if that was revoked."""
    wanted = list(keys)
    if not wanted:
        return []
    rows = await connection.execute(queries("identity")["holders"], columns(_KEY, wanted))
    return [HolderRow(wanted[number - 1], *row) for number, *row in await rows.fetchall()]


async def write(connection: Connection, customers: Iterable[CustomerRow], events: Iterable[EventRow]) -> None:
    """Adds what is new to the history, and to customers and handles what follows from it; what is there stays. Merges:
    `identity_merges`. Raises `Transient` when another transaction took a verified handle in between: decide again on
    fresh facts. Events come in the order of decisions, which is that of the history."""
    people = sorted({row[:2]: row for row in customers}.values(), key=lambda row: row[:2])
    first, *others = _parts(events)
    if people or first:
        await _write(connection, people, first)
    for part in others:
        await _write(connection, [], part)


def _parts(events: Iterable[EventRow]) -> list[list[EventRow]]:
    """Cut after what was revoked: the same batch may give it to somebody else."""
    parts: list[list[EventRow]] = [[]]
    for event in events:
        if parts[-1] and parts[-1][-1].action == "revoked" and event.action != "revoked":
            parts.append([])
        parts[-1].append(event)
    return parts


async def _write(connection: Connection, people: Sequence[CustomerRow], entries: Sequence[EventRow]) -> None:
    arrays = columns(_CUSTOMERS, people) | columns(_EVENTS, entries)
    rows = await connection.execute(queries("identity")["write"], arrays)
    proven = [row for row in entries if row.action in _MADE]
    if proven:
        new = {tuple(row) for row in await rows.fetchall()}
        await _settle(connection, [row for row in proven if (*row.link, row.action) not in new])
    await _change(connection, "contested", [(*row.link, row.message) for row in _of(entries, "contested")])
    await _change(connection, "revoked", [row.link for row in _of(entries, "revoked")])
    # Of several proofs of one link the last counts: a statement changes a row once.
    seen = {row.link: (row.at, row.proven_by) for row in sorted(_of(entries, "seen"), key=lambda row: row.at)}
    await _change(connection, "seen", [(*link, *last) for link, last in seen.items()])


def _of(entries: Sequence[EventRow], action: str) -> list[EventRow]:
    return [row for row in entries if row.action == action]


_CHANGES = {"contested": (*_LINK, "messages"), "revoked": _LINK, "seen": (*_LINK, "at", "proven_by")}


async def _change(connection: Connection, query: str, rows: Sequence[tuple[object, ...]]) -> None:
    if rows:
        ordered = sorted(rows, key=lambda row: row[:4])
        await connection.execute(queries("identity")[query], columns(_CHANGES[query], ordered))


async def _settle(connection: Connection, doubtful: Sequence[EventRow]) -> None:
    """Proofs of handles that were there: claimed by the same customer, linked by the same message, or lost to another."""
    if not doubtful:
        return
    sql = queries("identity")
    names = (*_LINK, "actions", "proofs", "at", "messages", "proven_by")
    rows = [(*row.link, row.action, row.proof, row.at, row.message, row.proven_by) for row in doubtful]
    arrays = columns(names, rows)
    try:
        await connection.execute(sql["promote"], arrays)
    except UniqueViolation:
        raise Transient("identity: a verified handle was linked meanwhile") from None
    taken = await (await connection.execute(sql["taken"], arrays)).fetchone()
    if taken and taken[0]:
        raise Transient("identity: a verified handle was linked meanwhile")
