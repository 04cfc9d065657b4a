"""The whole identity graph of a workspace, as its history and as its tables have it."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from runtime.postgres import Connection
from sinks.postgres.identity_rows import EventRow, HandleKey, LinkState
from sinks.postgres.sql import queries


class StoredGraph(NamedTuple):
    """The tables. `pointers`: the root of everybody who is merged."""

    links: dict[tuple[HandleKey, UUID], LinkState]
    merges: dict[UUID, UUID]
    pointers: dict[UUID, UUID]
    separations: set[frozenset[UUID]]


async def history(connection: Connection, workspace: UUID) -> list[EventRow]:
    """Every event, in the order of the fold."""
    return [EventRow(*row) for row in await _rows(connection, "history", workspace)]


async def stored_graph(connection: Connection, workspace: UUID) -> StoredGraph:
    """What the tables say now."""
    links = {
        ((workspace, kind, value), customer): LinkState(*state)
        for kind, value, customer, *state in await _rows(connection, "links", workspace)
    }
    return StoredGraph(
        links,
        dict(await _rows(connection, "merges", workspace)),
        dict(await _rows(connection, "pointers", workspace)),
        {frozenset(pair) for pair in await _rows(connection, "all_separations", workspace)},
    )


async def _rows(connection: Connection, query: str, workspace: UUID) -> list[Any]:
    cursor = await connection.execute(queries("identity_history")[query], {"workspace": workspace})
    return await cursor.fetchall()
