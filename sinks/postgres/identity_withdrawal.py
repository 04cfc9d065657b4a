"""What rests on a piece of evidence: a signing key, a server's word, an account. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from runtime.postgres import Connection
from sinks.postgres.sql import columns, queries

_HANDLE = ("kinds", "values")


class ProvenLink(NamedTuple):
    """A link, how it was proven, and by which message first."""

    kind: str
    value: str
    customer: UUID
    proof: str
    message: UUID


class ConcernedTicket(NamedTuple):
    number: int
    id: UUID
    department: str
    status: str
    subject: str | None


async def links(connection: Connection, workspace: UUID, evidence: str) -> list[ProvenLink]:
    """Links that nothing else proves."""
    rows = await _rows(connection, "links", workspace, evidence=evidence)
    return [ProvenLink(*row) for row in rows]


async def merges(
    connection: Connection, workspace: UUID, evidence: str, lost: Sequence[ProvenLink]
) -> list[UUID]:
    """Sources of the automatic merges that it made, or that were made by one of the lost handles."""
    parameters = {"kinds": [link.kind for link in lost], "values": [link.value for link in lost]}
    return [row[0] for row in await _rows(connection, "merges", workspace, evidence=evidence, **parameters)]


async def crowded(connection: Connection, workspace: UUID, above: int) -> list[tuple[str, str]]:
    """Kinds and values of handles that more than so many people have proven."""
    return [(kind, value) for kind, value in await _rows(connection, "crowded", workspace, above=above)]


async def verified(
    connection: Connection, workspace: UUID, handles: Sequence[tuple[str, str]], domains: Sequence[str]
) -> list[ProvenLink]:
    """Verified links of these handles, and of addresses at these domains."""
    given = columns(_HANDLE, handles) | {"domains": list(domains)}
    return [ProvenLink(*row) for row in await _rows(connection, "verified", workspace, **given)]


async def merged_by(
    connection: Connection, workspace: UUID, handles: Sequence[tuple[str, str]]
) -> list[UUID]:
    """Sources of the automatic merges that these handles made."""
    rows = await _rows(connection, "merged_by", workspace, **columns(_HANDLE, handles))
    return [row[0] for row in rows]


async def tickets(
    connection: Connection, workspace: UUID, customers: Collection[UUID]
) -> list[ConcernedTicket]:
    """These customers' tickets, the oldest first."""
    rows = await _rows(connection, "tickets", workspace, customers=list(customers))
    return [ConcernedTicket(*row) for row in rows]


async def _rows(connection: Connection, query: str, workspace: UUID, **parameters: Any) -> list[Any]:
    parameters["workspace"] = workspace
    cursor = await connection.execute(queries("identity_withdrawal")[query], parameters)
    return await cursor.fetchall()
