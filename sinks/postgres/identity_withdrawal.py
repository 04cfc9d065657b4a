"""What rests on a piece of evidence: a signing key, a server's word, an account. In the caller's transaction."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from runtime.postgres import Connection
from sinks.postgres.sql import queries


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
