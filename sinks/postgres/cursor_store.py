"""Cursors of pollers, and the lock that lets one process at a time move one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from contracts.errors import Transient
from runtime.postgres import Database
from sinks.postgres.sql import queries

# The server must notice the death of a poller's machine, since the lock ends only with the session.
_OPTIONS = (
    "-c statement_timeout=8s -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=2"
)


class Source(NamedTuple):
    """What a cursor belongs to. `folder` is empty where the channel has none."""

    workspace: UUID
    channel: str
    account: str
    folder: str = ""


class Cursor(NamedTuple):
    """The last position that is durable on our side; another epoch means that positions were dealt out anew."""

    epoch: int = 0
    position: int = 0


class CursorStore:
    """To be moved only after Kafka's acknowledgement."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, source: Source) -> Cursor:
        """Zero for a source nobody has read yet."""
        rows = await self._database.fetch([source.workspace], queries("cursors")["read"], source._asdict())
        return Cursor(*rows[0]) if rows else Cursor()

    async def save(self, source: Source, cursor: Cursor) -> None:
        """Never moves backwards within an epoch."""
        parameters = source._asdict() | cursor._asdict()
        async with self._database.transaction([source.workspace]) as connection:
            await connection.execute(queries("cursors")["save"], parameters)


class Lease:
    """The right to read a source. It ends with its database session, which may end by itself."""

    def __init__(self, connection: AsyncConnection[TupleRow]) -> None:
        self._connection = connection

    async def check(self) -> None:
        """Raises `Transient` when the session is gone: somebody else may read the source by now."""
        try:
            await self._connection.execute(queries("cursors")["alive"])
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise Transient(f"postgres: {type(error).__name__}") from error


@asynccontextmanager
async def lease(dsn: str, source: Source) -> AsyncIterator[Lease | None]:
    """The lease of a source, or None while another process has it. Uses a session of its own (never a transaction
    pooler's). Raises `Transient` when the server is away."""
    try:
        connection = await AsyncConnection.connect(
            dsn, autocommit=True, options=_OPTIONS, prepare_threshold=None, connect_timeout=5
        )
    except psycopg.OperationalError as error:
        raise Transient(f"postgres: {type(error).__name__}") from error
    async with connection:
        name = "|".join(map(str, source))
        row = await (await connection.execute(queries("cursors")["claim"], {"name": name})).fetchone()
        yield Lease(connection) if row and row[0] else None
