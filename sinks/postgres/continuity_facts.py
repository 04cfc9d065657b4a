"""What continuity reads besides tickets: who was merged with whom, what was said before, and which calls nobody took."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from runtime.postgres import Connection
from sinks.postgres.sql import Answer, ask, queries
from sinks.postgres.ticket_store import Key

_ask = partial(ask, "continuity")


async def lock_conversations(connection: Connection, keys: Iterable[str]) -> None:
    """Until the transaction ends; in order."""
    if wanted := sorted(set(keys)):
        await connection.execute(queries("continuity")["lock_conversations"], {"keys": wanted})


async def families(connection: Connection, customers: Iterable[Key]) -> Answer[dict[Key, tuple[UUID, ...]]]:
    """Customer -> every id that stands for the same person, sorted, where there is more than the one."""

    def shape(rows: list[tuple[UUID, UUID, UUID]]) -> dict[Key, tuple[UUID, ...]]:
        found: dict[Key, list[UUID]] = {}
        for workspace, customer, member in rows:
            found.setdefault((workspace, customer), []).append(member)
        return {key: tuple(sorted(members)) for key, members in found.items() if len(members) > 1}

    return await _ask(connection, "families", ("workspaces", "customers"), customers, shape)


async def twins(
    connection: Connection, contents: Iterable[tuple[UUID, str, datetime, datetime]]
) -> Answer[dict[tuple[UUID, str], tuple[UUID, UUID, datetime]]]:
    """(workspace, content) -> the newest message with this content that has a ticket, its ticket, and when it was received.
    Each content is asked for with the times between which that was."""

    def shape(rows: list[tuple[Any, ...]]) -> dict[tuple[UUID, str], tuple[UUID, UUID, datetime]]:
        return {(workspace, said): (message, ticket, at) for workspace, said, message, ticket, at in rows}

    return await _ask(connection, "twins", ("workspaces", "contents", "since", "until"), contents, shape)


async def missed_calls(
    connection: Connection, tickets: Iterable[Key], since: datetime
) -> Answer[dict[UUID, tuple[tuple[str, datetime], ...]]]:
    """Ticket -> its calls since then that nobody took, each with its time, in order."""

    def shape(rows: list[tuple[UUID, str, datetime]]) -> dict[UUID, tuple[tuple[str, datetime], ...]]:
        found: dict[UUID, list[tuple[str, datetime]]] = {}
        for ticket, call, at in rows:
            found.setdefault(ticket, []).append((call, at))
        return {ticket: tuple(calls) for ticket, calls in found.items()}

    wanted = [(*key, since) for key in tickets]
    return await _ask(connection, "missed_calls", ("workspaces", "tickets", "since"), wanted, shape)
