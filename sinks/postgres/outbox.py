"""The outbox table, as its relays see it: shards, each relayed by one session at a time, in order."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow, class_row

from contracts.errors import Transient
from sinks.postgres.sql import queries

SHARDS = 8
"""Fixed: rows that wait in the outbox carry their shard."""

_ROWS_PER_SHARD = 250
_BALANCE_SECONDS = 1.0

# The key space of our advisory locks: shards, and one number more for "a relay is here".
_LOCK_CLASS = 0x6F757462
_PRESENCE = SHARDS

# The server must notice the death of a relay's machine, since the session's locks end only with the session.
_OPTIONS = (
    "-c statement_timeout=8s -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=2"
)


def shard_of(aggregate_id: UUID) -> int:
    """0 … SHARDS - 1. Ids are hashes (`contracts/ids.py`), so their last byte spreads evenly."""
    return aggregate_id.bytes[-1] % SHARDS


class OutboxEvent(NamedTuple):
    """One unpublished row. `payload` is the record's value, byte for byte."""

    shard: int
    seq: int
    id: UUID
    aggregatetype: str
    aggregateid: UUID
    type: str
    payload: bytes
    workspace: UUID
    traceparent: str | None
    created_at: datetime


class Outbox:
    """One relay's session. Its shards are its own until `balance` gives them away or the connection is lost."""

    def __init__(self, connection: AsyncConnection[TupleRow]) -> None:
        self._connection = connection
        self._held: set[int] = set()
        self._balanced = -_BALANCE_SECONDS

    @property
    def shards(self) -> list[int]:
        """The shards this session relays, sorted."""
        return sorted(self._held)

    async def balance(self) -> None:
        """Once a second: takes or gives shards so that all relays have equal shares, one more or less.

        To be called with nothing in flight: a shard that is given away may be read by another relay at once.
        """
        if time.monotonic() - self._balanced < _BALANCE_SECONDS:
            return
        share = -(-SHARDS // max(1, int(await self._lock("relays", presence=_PRESENCE))))
        for shard in self.shards[share:]:
            await self._lock("give_shard", shard=shard)
            self._held.remove(shard)
        for shard in sorted(set(range(SHARDS)) - self._held):
            if len(self._held) < share and await self._lock("take_shard", shard=shard):
                self._held.add(shard)
        self._balanced = time.monotonic()

    async def unpublished(self) -> list[OutboxEvent]:
        """The oldest rows of each held shard, in order."""
        parameters = {"shards": self.shards, "limit": _ROWS_PER_SHARD}
        async with self._connection.cursor(row_factory=class_row(OutboxEvent)) as cursor:
            return await (await cursor.execute(queries("outbox")["unpublished"], parameters)).fetchall()

    async def published(self, rows: Sequence[OutboxEvent]) -> None:
        """Forgets rows that the broker has acknowledged."""
        parameters = {"shards": [row.shard for row in rows], "seqs": [row.seq for row in rows]}
        await self._connection.execute(queries("outbox")["published"], parameters)

    async def wait(self, seconds: float) -> None:
        """Until a writer says that it has committed rows, or the time is over."""
        async for _ in self._connection.notifies(timeout=seconds, stop_after=1):
            pass

    async def _lock(self, query: str, **parameters: int) -> int:
        cursor = await self._connection.execute(
            queries("outbox")[query], {"lock_class": _LOCK_CLASS} | parameters
        )
        row = await cursor.fetchone()
        assert row is not None
        return int(row[0])


@asynccontextmanager
async def relay_session(system_dsn: str) -> AsyncIterator[Outbox]:
    """A session of its own (never through a transaction pooler: the locks belong to it).

    Raises `Transient`, also out of the block, when the server is away; its shards are then free for others.
    """
    try:
        # Unprepared: a plan made while the table was empty must not live as long as the relay.
        connection = await AsyncConnection.connect(
            system_dsn, autocommit=True, options=_OPTIONS, prepare_threshold=None, connect_timeout=5
        )
        async with connection:
            await connection.execute("LISTEN outbox")
            await connection.execute(
                queries("outbox")["present"], {"lock_class": _LOCK_CLASS, "presence": _PRESENCE}
            )
            yield Outbox(connection)
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Transient(f"postgres: {type(error).__name__}") from error
