"""What conditions of rules read from the stores, set-based, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from runtime.postgres import Connection
from sinks.postgres.sql import columns, queries
from sinks.postgres.ticket_store import Key


async def opening_messages(connection: Connection, tickets: Iterable[Key]) -> dict[Key, str]:
    """Ticket -> the inbound record of the message that opened it."""
    rows = await _rows(connection, "opening_messages", ("workspaces", "tickets"), tickets)
    return {(workspace, ticket): payload for workspace, ticket, payload in rows}


async def customer_tags(connection: Connection, customers: Iterable[Key]) -> dict[Key, tuple[str, ...]]:
    """Customer -> tags, sorted. Those without a tag are not among them."""
    rows = await _rows(connection, "customer_tags", ("workspaces", "customers"), customers)
    return {(workspace, customer): tuple(tags) for workspace, customer, tags in rows}


async def _rows(
    connection: Connection, query: str, names: tuple[str, ...], keys: Iterable[tuple[Any, ...]]
) -> list[Any]:
    wanted = sorted(set(keys))
    if not wanted:
        return []
    return await (await connection.execute(queries("rules")[query], columns(names, wanted))).fetchall()
