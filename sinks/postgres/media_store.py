"""Files to be fetched from providers, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from psycopg.rows import class_row

from runtime.postgres import Database
from sinks.postgres.sql import columns, queries

State = Literal["fetched", "expired", "refused", "failed"]


class Wanted(NamedTuple):
    """A file of a message. `place`: which of its attachments, from 0."""

    workspace: UUID
    message_id: UUID
    place: int
    channel: str
    account: str
    provider_ref: str
    declared_type: str
    received_at: datetime


class Claimed(NamedTuple):
    """A file that is the caller's to fetch until the claim ends. `attempts` counts this one, and names the claim."""

    workspace: UUID
    message_id: UUID
    place: int
    channel: str
    account: str
    provider_ref: str
    declared_type: str
    attempts: int


class Outcome(NamedTuple):
    """The end of it. `sha256`, `type` and `size` are those of the archived bytes."""

    state: State
    reason: str | None = None
    sha256: str | None = None
    type: str | None = None
    size: int | None = None


class MediaStore:
    """Every file is one row, from its message to its end. Raises `Transient` while Postgres is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, wanted: Sequence[Wanted]) -> None:
        """Notes files, each once however often it is called."""
        if not wanted:
            return
        parameters = columns(Wanted._fields, wanted)
        async with self._database.transaction({one.workspace for one in wanted}) as connection:
            await connection.execute(queries("media")["add"], parameters)

    async def claim(self, workspaces: Iterable[UUID], now: datetime, until: datetime) -> Claimed | None:
        """The file that has been due for longest; None when none is due."""
        mine = list(workspaces)
        parameters = {"workspaces": mine, "now": now, "until": until}
        async with (
            self._database.transaction(mine) as connection,
            connection.cursor(row_factory=class_row(Claimed)) as cursor,
        ):
            await cursor.execute(queries("media")["claim"], parameters)
            return await cursor.fetchone()

    async def finish(self, claimed: Claimed, outcome: Outcome, now: datetime) -> None:
        """Records the end, unless the claim has ended before."""
        parameters = claimed._asdict() | outcome._asdict() | {"now": now}
        async with self._database.transaction([claimed.workspace]) as connection:
            await connection.execute(queries("media")["finish"], parameters)

    async def postpone(self, claimed: Claimed, reason: str, due: datetime) -> None:
        """Gives the file back until then."""
        parameters = claimed._asdict() | {"reason": reason, "due": due}
        async with self._database.transaction([claimed.workspace]) as connection:
            await connection.execute(queries("media")["postpone"], parameters)
