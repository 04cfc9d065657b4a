"""Notes that agents write for each other: rows of `notes`, in the transaction of the ticket's new version."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from runtime.postgres import Connection, Database
from sinks.postgres.sql import queries


class Note(msgspec.Struct, frozen=True):
    """One note. `id` is what the trail names it by."""

    id: UUID
    agent: str
    text: str
    at: datetime


async def add_note(
    connection: Connection, workspace: UUID, note: UUID, ticket: UUID, agent: str, text: str, now: datetime
) -> bool:
    """False when it is stored already."""
    parameters = {
        "workspace": workspace,
        "note": note,
        "ticket": ticket,
        "agent": agent,
        "text": text,
        "now": now,
    }
    rows = await connection.execute(queries("notes")["add"], parameters)
    return await rows.fetchone() is not None


async def notes_of(database: Database, workspace: UUID, ticket: UUID) -> list[Note]:
    """All notes on a ticket, oldest first."""
    parameters = {"workspace": workspace, "ticket": ticket}
    rows = await database.fetch([workspace], queries("notes")["of_ticket"], parameters)
    return [Note(*row) for row in rows]
