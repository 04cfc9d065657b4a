"""Postgres: one pool a process, one transaction a batch, and what a failure of it means.

`Transient`: the server is away, restarting or out of connections, or the transaction lost a race (40001, 40P01): do the
whole unit of work again. `Poison`: the server refuses the values: the guard finds the message. Other errors are faults.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from functools import partial
from typing import Any, LiteralString, Protocol
from uuid import UUID
from weakref import WeakSet

import psycopg
from psycopg import AsyncConnection
from psycopg.pq.abc import PGresult
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from contracts.errors import Poison, Transient
from runtime import metrics
from runtime.arrays import ArrayDumper
from runtime.gathering import Parameters, Prepared, gathering


class Result(Protocol):
    """What a statement answers."""

    @property
    def pgresult(self) -> PGresult | None:
        """As the server gave it; in a `short` transaction not before the rows are fetched."""

    async def fetchall(self) -> list[TupleRow]: ...

    async def fetchone(self) -> TupleRow | None: ...


class Connection(Protocol):
    """What a unit of work does its work with, in a transaction of either kind."""

    async def execute(self, query: LiteralString, params: Parameters = None, /) -> Result: ...


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

# A connection whose last use ended well, this shortly ago, is taken for a good one.
_TRUSTED_SECONDS = 1.0
_NEVER = float("-inf")

_FEW_MESSAGES = 64

_AWAY = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout)
_RACES = (psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
_REFUSALS = (psycopg.DataError, psycopg.IntegrityError)


# What the metric counts: a process has one pool for each role it works in.
_open: WeakSet[Database] = WeakSet()


# Until the end of the transaction.
_SEE = "SELECT set_config('app.workspaces', %s, true)"
_SEE_AND_KEEP_PLANS = _SEE + ", set_config('plan_cache_mode', 'force_generic_plan', true)"


class _Pooled(Prepared):
    """A connection that knows when its last use ended well."""

    used_at = _NEVER


class Database:
    """A pool whose connections are checked before use, unless they have just been used. `async with database:` opens and
    closes it."""

    def __init__(self, dsn: str, max_size: int = 4, timeout: float = 5.0) -> None:
        self._pool: AsyncConnectionPool[_Pooled] = AsyncConnectionPool(
            dsn,
            connection_class=_Pooled,
            min_size=1,
            max_size=max_size,
            timeout=timeout,
            max_lifetime=_MAX_LIFETIME_SECONDS,
            reconnect_timeout=0,
            open=False,
            configure=_configure,
            check=_check,
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
    async def transaction(self, workspaces: Iterable[UUID] = ()) -> AsyncIterator[AsyncConnection[TupleRow]]:
        """One READ COMMITTED transaction that sees these workspaces only (none: tables without a workspace).

        Raises `Transient` or `Poison` as the module says; either way nothing of it is stored.
        """
        async with self._connection() as connection:
            await connection.execute(_begin(workspaces), prepare=False)
            yield connection

    @asynccontextmanager
    async def short(self, workspaces: Iterable[UUID]) -> AsyncIterator[Connection]:
        """A `transaction` about few rows for which somebody waits: to find the way to them again and again, and to go back
        and forth for each statement, would take longer than the statements themselves.

        So plans are kept (write statements that have one good plan, whatever their values), and a statement is only waited
        for where its rows are fetched: what is wrong with one may be raised by a later one, or at the end.
        """
        async with self._connection() as connection, gathering(connection) as gathered:
            await gathered.execute("BEGIN")
            await gathered.execute(_SEE_AND_KEEP_PLANS, [_visible(workspaces)])
            yield gathered
            await gathered.execute("COMMIT")

    def batch(self, workspaces: Iterable[UUID], messages: int) -> AbstractAsyncContextManager[Connection]:
        """A `transaction` for so many messages, or a `short` one where they are few. For many it pays to find the best way to
        them, and that the server writes one table while the rows of the next are still being made."""
        return self.short(workspaces) if messages <= _FEW_MESSAGES else self.transaction(workspaces)

    async def fetch(self, workspaces: Iterable[UUID], query: Any, parameters: Any = None) -> list[TupleRow]:
        """The rows of one statement in a transaction of its own, in one round trip."""
        [rows] = await self.fetch_all(workspaces, (query, parameters))
        return rows

    async def fetch_all(
        self, workspaces: Iterable[UUID], *statements: tuple[Any, Any]
    ) -> list[list[TupleRow]]:
        """The same for several statements with their parameters."""
        return await self._fetched(_SEE, workspaces, statements)

    async def look_up(self, workspaces: Iterable[UUID], query: Any, parameters: Any = None) -> list[TupleRow]:
        """`fetch` with a kept plan, as in a `short` transaction: for few rows by their key."""
        [rows] = await self._fetched(_SEE_AND_KEEP_PLANS, workspaces, [(query, parameters)])
        return rows

    async def _fetched(
        self, see: LiteralString, workspaces: Iterable[UUID], statements: Iterable[tuple[Any, Any]]
    ) -> list[list[TupleRow]]:
        async with self._connection() as connection:
            # What goes out together is one transaction.
            async with gathering(connection) as gathered:
                await gathered.execute(see, [_visible(workspaces)])
                answers = [await gathered.execute(*statement) for statement in statements]
            return [await answer.fetchall() for answer in answers]

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[_Pooled]:
        try:
            # The pool's context commits, or rolls back when an exception leaves it.
            async with self._pool.connection() as connection:
                connection.used_at = _NEVER
                yield connection
                connection.used_at = time.monotonic()
        except _RACES as error:
            raise Transient(f"postgres: {error.sqlstate}") from error
        except _REFUSALS as error:
            raise Poison("refused_by_database", f"{type(error).__name__} {error.sqlstate}") from error
        except _AWAY as error:
            raise Transient(f"postgres: {type(error).__name__}") from error

    def _connections(self, state: str) -> int:
        stats = self._pool.get_stats()
        idle = stats.get("pool_available", 0)
        return {
            "idle": idle,
            "used": stats.get("pool_size", 0) - idle,
            "waiting": stats.get("requests_waiting", 0),
        }[state]


def together(connection: Connection) -> AbstractAsyncContextManager[Any]:
    """Statements within it go out in one round trip, the end of it waits for them; in a `short` transaction they go with
    what comes after them."""
    return connection.pipeline() if isinstance(connection, AsyncConnection) else nullcontext()


def _begin(workspaces: Iterable[UUID]) -> bytes:
    """Both in one round trip. UUIDs are hex digits and dashes: nothing to escape."""
    visible = _visible(UUID(str(workspace)) for workspace in workspaces)
    return f"BEGIN; SELECT set_config('app.workspaces', '{visible}', true)".encode()


def _visible(workspaces: Iterable[UUID]) -> str:
    return ",".join(map(str, workspaces))


async def _check(connection: _Pooled) -> None:
    if time.monotonic() - connection.used_at >= _TRUSTED_SECONDS:
        await AsyncConnectionPool.check_connection(connection)


def _count(state: str) -> int:
    return sum(database._connections(state) for database in tuple(_open))


for _state in ("idle", "used", "waiting"):
    metrics.db_pool.labels(_state).set_function(partial(_count, _state))


async def _configure(connection: AsyncConnection[TupleRow]) -> None:
    """Lists go as binary arrays: as text every quote of every document would be looked for and escaped, which costs a
    writer half of its time."""
    connection.adapters.register_dumper(list, ArrayDumper)
