"""Notes that agents, and rules, write for agents: rows of `notes`, in the transaction of the ticket's new version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from runtime.postgres import Connection, Database
from sinks.postgres.sql import columns, queries
from sinks.postgres.ticket_store import NoteRow

_COLUMNS = ("workspaces", "notes", "tickets", "agents", "texts", "at")


class Note(msgspec.Struct, frozen=True):
    """One note. `id` is what the trail names it by."""

    id: UUID
    agent: str
    text: str
    at: datetime


async def add_note(connection: Connection, note: NoteRow) -> bool:
    """False when it is stored already."""
    rows = await connection.execute(queries("notes")["add"], columns(_COLUMNS, [note]))
    return await rows.fetchone() is not None


async def write_notes(connection: Connection, notes: Sequence[NoteRow]) -> None:
    """Those that a batch decided on."""
    if notes:
        await connection.execute(queries("notes")["add"], columns(_COLUMNS, sorted(notes)))


async def notes_of(database: Database, workspace: UUID, ticket: UUID) -> list[Note]:
    """All notes on a ticket, oldest first."""
    parameters = {"workspace": workspace, "ticket": ticket}
    rows = await database.fetch([workspace], queries("notes")["of_ticket"], parameters)
    return [Note(*row) for row in rows]
