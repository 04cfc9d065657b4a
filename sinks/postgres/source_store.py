"""How polled sources stand, and the ledger that says which mails of a folder are here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple, get_args
from uuid import UUID

from runtime.postgres import Database
from sinks.postgres.cursor_store import Source
from sinks.postgres.sql import queries

State = Literal["starting", "connected", "transient_failure", "bad_credentials", "stopped"]
STATES: tuple[State, ...] = get_args(State)


class ListedSource(NamedTuple):
    """A source as its reader last reported it. `missing` and `complete_at` are of mail folders: how many mails of the server
    were not here at the last comparison, and when a comparison last found every one."""

    channel: str
    account: str
    folder: str
    state: State
    reason: str | None
    since: datetime
    seen_at: datetime
    missing: int | None
    complete_at: datetime | None


class SourceStore:
    """States of all sources; raises `Transient` while Postgres is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def report(self, source: Source, state: State, reason: str | None, now: datetime) -> None:
        """`reason` is shown to people: it holds no secret."""
        parameters = source._asdict() | {"state": state, "reason": reason, "now": now}
        async with self._database.transaction([source.workspace]) as connection:
            await connection.execute(queries("sources")["report"], parameters)

    async def listed(self, workspace: UUID) -> list[ListedSource]:
        """Every source that was ever read."""
        rows = await self._database.fetch([workspace], queries("sources")["listed"], {"workspace": workspace})
        return [ListedSource(*row) for row in rows]


class MailboxLedger:
    """Of one folder under one UIDVALIDITY (`epoch`)."""

    def __init__(self, database: Database, source: Source, epoch: int) -> None:
        self._database = database
        self._workspace = source.workspace
        self._key = source._asdict() | {"epoch": epoch}

    async def take(self, uids: Sequence[int]) -> None:
        """To be called after Kafka's acknowledgement."""
        async with self._database.transaction([self._workspace]) as connection:
            await connection.execute(queries("sources")["take"], self._key | {"uids": list(uids)})

    async def missing(self, uids: Sequence[int]) -> list[int]:
        """Which of these have not been taken, in order."""
        parameters = self._key | {"uids": list(uids)}
        rows = await self._database.fetch([self._workspace], queries("sources")["missing"], parameters)
        return [uid for (uid,) in rows]

    async def compared(self, missing: int, at: datetime) -> None:
        """Keeps what a comparison with the server, begun at `at`, found."""
        async with self._database.transaction([self._workspace]) as connection:
            await connection.execute(
                queries("sources")["compared"], self._key | {"missing": missing, "at": at}
            )
