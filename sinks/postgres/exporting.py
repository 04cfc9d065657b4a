"""Everything that is stored about a customer, as JSON. In the caller's transaction."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from runtime.postgres import Connection
from sinks.postgres.erasing import Subject
from sinks.postgres.sql import queries

SECTIONS = (
    "customers",
    "handles",
    "history",
    "traits",
    "tickets",
    "messages",
    "answers",
    "notes",
    "orders",
    "decisions",
)
"""The lists of an export, in its order."""


class StoredFile(NamedTuple):
    """Archived bytes, and one of the messages that have them."""

    sha256: str
    message: UUID


async def sections(connection: Connection, subject: Subject) -> dict[str, list[msgspec.Raw]]:
    """The rows of each section."""
    return {
        name: [msgspec.Raw(row.encode()) for (row,) in await _rows(connection, name, subject)]
        for name in SECTIONS
    }


async def files(connection: Connection, subject: Subject) -> list[StoredFile]:
    """What their messages have in the archive."""
    return [StoredFile(*row) for row in await _rows(connection, "files", subject)]


async def _rows(connection: Connection, query: str, subject: Subject) -> list[Any]:
    parameters = {
        "workspace": subject.workspace,
        "members": list(subject.members),
        "tickets": list(subject.tickets),
        "messages": subject.message_ids,
    }
    return await (await connection.execute(queries("export")[query], parameters)).fetchall()
