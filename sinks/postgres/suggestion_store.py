"""Traits of customers, and who shares them. Every function works in the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple
from uuid import UUID

from runtime.postgres import Connection
from sinks.postgres.sql import columns, queries


class TraitRow(NamedTuple):
    """Something that a customer gave; of the kind `block`: a value by which customers are compared."""

    workspace: UUID
    kind: str
    value: str
    customer: UUID


_TRAITS = ("workspaces", "kinds", "values", "customers")


async def add(connection: Connection, traits: Iterable[TraitRow]) -> None:
    """Adds what is new."""
    if rows := sorted(set(traits)):
        await connection.execute(queries("suggestions")["add"], columns(_TRAITS, rows))


async def candidates(connection: Connection, workspace: UUID, members: Collection[UUID]) -> list[UUID]:
    """Root customers, 300 at most, who share a block with any of these members of one customer."""
    rows = await _rows(connection, "candidates", workspace, members)
    return [root for (root,) in rows]


async def traits(
    connection: Connection, workspace: UUID, members: Collection[UUID]
) -> dict[UUID, list[tuple[str, str]]]:
    """Kinds and values by customer: what they gave, and their addresses and numbers, claimed ones too."""
    found: dict[UUID, list[tuple[str, str]]] = {}
    for customer, kind, value in await _rows(connection, "traits", workspace, members):
        found.setdefault(customer, []).append((kind, value))
    return found


async def _rows(connection: Connection, query: str, workspace: UUID, members: Collection[UUID]) -> list[Any]:
    parameters = {"workspace": workspace, "members": list(members)}
    return await (await connection.execute(queries("suggestions")[query], parameters)).fetchall()
