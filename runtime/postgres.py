"""Postgres: one pool a process, one transaction a batch, and what a failure of it means.

`Transient`: the server is away, restarting or out of connections, or the transaction lost a race (40001, 40P01): do the
whole unit of work again. `Poison`: the server refuses the values: the guard finds the message. Other errors are faults.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from uuid import UUID
from weakref import WeakSet

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.types.array import ListBinaryDumper
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from contracts.errors import Poison, Transient
from runtime import metrics

Connection = AsyncConnection[TupleRow]

# Below the consumer's session time-out, so that a stuck statement never costs the membership.
# Plans are made for the values at hand: a generic one made for empty tables would stay with the session.
_OPTIONS = " ".join(
    (
        "-c statement_timeout=8s -c lock_timeout=5s -c idle_in_transaction_session_timeout=30s",
        "-c plan_cache_mode=force_custom_plan",
    )
)

# A pool's oldest connection: a cached plan made for an empty table must not live on (performance.md, the trap).
_MAX_LIFETIME_SECONDS = 600.0

_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)
_RACES = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
_REFUSALS = (psycopg.DataError, psycopg.IntegrityError)


# What the metric counts: a process has one pool for each role it works in.
_open: WeakSet[Database] = WeakSet()


class Database:
    """A pool whose connections are checked before use. `async with database:` opens and closes it."""

    def __init__(self, dsn: str, max_size: int = 4, timeout: float = 5.0) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            dsn,
            min_size=1,
            max_size=max_size,
            timeout=timeout,
            max_lifetime=_MAX_LIFETIME_SECONDS,
            reconnect_timeout=0,
            open=False,
            configure=_configure,
            check=AsyncConnectionPool.check_connection,
            kwargs={"options": _OPTIONS, "autocommit": True, "prepare_threshold": 1},
        )

    async def open(self) -> None:
        """Returns at once; the first `transaction` waits for the server."""
        await self._pool.open(wait=False)
        _open.add(self)

    async def close(self) -> None:
        _open.discard(self)
        await self._pool.close(timeout=2.0)

    async def __aenter__(self) -> Database:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @asynccontextmanager
    async def transaction(self, workspaces: Iterable[UUID] = ()) -> AsyncIterator[Connection]:
        """One READ COMMITTED transaction that sees these workspaces only (none: tables without a workspace).

        Raises `Transient` or `Poison` as the module says; either way nothing of it is stored.
        """
        try:
            # The pool's context commits, or rolls back when an exception leaves it.
            async with self._pool.connection() as connection:
                await connection.execute(_begin(workspaces), prepare=False)
                yield connection
        except _RACES as error:
            raise Transient(f"postgres: {error.sqlstate}") from error
        except _REFUSALS as error:
            raise Poison("refused_by_database", f"{type(error).__name__} {error.sqlstate}") from error
        except _AWAY as error:
            raise Transient(f"postgres: {type(error).__name__}") from error

    async def fetch(self, workspaces: Iterable[UUID], query: Any, parameters: Any = None) -> list[TupleRow]:
        """The rows of one statement in a transaction of its own."""
        async with self.transaction(workspaces) as connection:
            return await (await connection.execute(query, parameters)).fetchall()

    def _connections(self, state: str) -> int:
        stats = self._pool.get_stats()
        idle = stats.get("pool_available", 0)
        return {
            "idle": idle,
            "used": stats.get("pool_size", 0) - idle,
            "waiting": stats.get("requests_waiting", 0),
        }[state]


def _begin(workspaces: Iterable[UUID]) -> bytes:
    """Both in one round trip. UUIDs are hex digits and dashes: nothing to escape."""
    visible = ",".join(str(UUID(str(workspace))) for workspace in workspaces)
    return f"BEGIN; SELECT set_config('app.workspaces', '{visible}', true)".encode()


def _count(state: str) -> int:
    return sum(database._connections(state) for database in tuple(_open))


for _state in ("idle", "used", "waiting"):
    metrics.db_pool.labels(_state).set_function(partial(_count, _state))


async def _configure(connection: Connection) -> None:
    """Lists go as binary arrays: as text every quote of every document would be looked for and escaped, which costs a
    writer half of its time."""
    connection.adapters.register_dumper(list, ListBinaryDumper)
