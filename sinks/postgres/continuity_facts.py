"""What continuity reads besides tickets: who was merged with whom, what was said before, and which calls nobody took."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from uuid import UUID

from runtime.postgres import Connection
from sinks.postgres.sql import keyed, queries
from sinks.postgres.ticket_store import Key

_rows = partial(keyed, "continuity")


async def lock_conversations(connection: Connection, keys: Iterable[str]) -> None:
    """Until the transaction ends; in order."""
    if wanted := sorted(set(keys)):
        await connection.execute(queries("continuity")["lock_conversations"], {"keys": wanted})


async def families(connection: Connection, customers: Iterable[Key]) -> dict[Key, tuple[UUID, ...]]:
    """Customer -> every id that stands for the same person, sorted, where there is more than the one."""
    found: dict[Key, list[UUID]] = {}
    for workspace, customer, member in await _rows(
        connection, "families", ("workspaces", "customers"), customers
    ):
        found.setdefault((workspace, customer), []).append(member)
    return {key: tuple(sorted(members)) for key, members in found.items() if len(members) > 1}


async def twins(
    connection: Connection, contents: Iterable[tuple[UUID, str, datetime, datetime]]
) -> dict[tuple[UUID, str], tuple[UUID, UUID, datetime]]:
    """(workspace, content) -> the newest message with this content that has a ticket, its ticket, and when it was received.
    Each content is asked for with the times between which that was."""
    rows = await _rows(connection, "twins", ("workspaces", "contents", "since", "until"), contents)
    return {(workspace, said): (message, ticket, at) for workspace, said, message, ticket, at in rows}


async def missed_calls(
    connection: Connection, tickets: Iterable[Key], since: datetime
) -> dict[UUID, tuple[tuple[str, datetime], ...]]:
    """Ticket -> its calls since then that nobody took, each with its time, in order."""
    found: dict[UUID, list[tuple[str, datetime]]] = {}
    wanted = [(*key, since) for key in tickets]
    for ticket, call, at in await _rows(
        connection, "missed_calls", ("workspaces", "tickets", "since"), wanted
    ):
        found.setdefault(ticket, []).append((call, at))
    return {ticket: tuple(calls) for ticket, calls in found.items()}
