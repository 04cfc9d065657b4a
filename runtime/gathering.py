"""Statements that go out together: nothing is sent before an answer is waited for, since to wake the server for each one would
cost more than all of them.

Straight on psycopg's `pq`, since its pipelines and cursors, which do far more than this, take six times as long for each
statement, and statements are most of what a call at the desk costs.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from typing import Any, NamedTuple

import psycopg
from psycopg import AsyncConnection
from psycopg.abc import Buffer, PQGen
from psycopg.adapt import PyFormat, Transformer
from psycopg.generators import fetch_many, send
from psycopg.pq import ConnStatus, ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.rows import TupleRow

# More than there are queries: beyond it a statement goes without a name, whoever makes up so many.
_MOST_PREPARED = 200

_PLACEHOLDER = re.compile(r"%(?:\((\w+)\)s|s|%)")

Parameters = Mapping[str, Any] | Sequence[Any] | None


class _Statement(NamedTuple):
    """A query as the server takes it. `names`: of its numbered parameters, None where it takes a sequence."""

    text: bytes
    names: tuple[str, ...] | None
    formats: list[PyFormat]


class Prepared(AsyncConnection[TupleRow]):
    """A connection that knows the statements that its session has prepared."""

    def __init__(self, pgconn: PGconn) -> None:
        super().__init__(pgconn)
        self.statements: dict[tuple[bytes, tuple[int, ...]], bytes] = {}
        self.counted = 0
        """A name is never used again: what is forgotten here may still be known there."""

    async def rollback(self) -> None:
        """As ever; psycopg makes the session forget all statements then, whoever prepared them."""
        if self.pgconn.transaction_status != TransactionStatus.IDLE:
            self.statements.clear()
        await super().rollback()


class Gathered:
    """What `gathering` gives: statements are run in their order, and what is wrong with one is raised by whoever waits next."""

    def __init__(self, connection: Prepared) -> None:
        self._connection = connection
        self._pgconn = connection.pgconn
        self._adapt = Transformer(connection)
        self._waiting = deque[tuple[Sent | None, tuple[bytes, tuple[int, ...]] | None]]()

    async def execute(self, query: str, params: Parameters = None) -> Sent:
        """Puts it with those that go out next."""
        sent = Sent(self)
        if params is None:
            self._send(query.encode(), None, (), None)
        else:
            statement = _statement(query)
            values = self._adapt.dump_sequence(_in_order(statement, params), statement.formats)
            self._send(statement.text, values, self._adapt.types or (), self._adapt.formats)
        self._waiting.append((sent, None))
        return sent

    async def arrive(self) -> None:
        """Waits for all of them. Raises what the first that failed has failed of."""
        async with self._connection.lock:
            await self._connection.wait(self._trip())

    async def undo(self) -> None:
        """What an exception leaves behind: nothing stays that is not committed."""
        try:
            if self._waiting:
                with suppress(psycopg.DatabaseError):
                    await self.arrive()
            if self._pgconn.transaction_status in (TransactionStatus.INTRANS, TransactionStatus.INERROR):
                await self.execute("ROLLBACK")
                await self.arrive()
        except psycopg.Error:
            # What is left of it ends with the session.
            self._pgconn.finish()

    def rows(self, result: PGresult) -> list[TupleRow]:
        """All of them, as Python's values."""
        self._adapt.set_pgresult(result)
        return self._adapt.load_rows(0, result.ntuples, tuple)

    def _send(
        self,
        text: bytes,
        values: Sequence[Buffer | None] | None,
        types: tuple[int, ...],
        formats: Sequence[Format] | None,
    ) -> None:
        if (name := self._name(text, types)) is None:
            self._pgconn.send_query_params(text, values, types, formats)
        else:
            self._pgconn.send_query_prepared(name, values, formats)

    def _name(self, text: bytes, types: tuple[int, ...]) -> bytes | None:
        """By which the session knows the statement; the first time it is told."""
        known, key = self._connection.statements, (text, types)
        if (name := known.get(key)) is None and len(known) < _MOST_PREPARED:
            self._connection.counted += 1
            name = known[key] = b"fd_%d" % self._connection.counted
            self._pgconn.send_prepare(name, text, types)
            self._waiting.append((None, key))
        return name

    def _trip(self) -> PQGen[None]:
        # With a Sync the server takes a transaction for idle while it waits for us, and ends that of a stuck process.
        self._pgconn.pipeline_sync()
        yield from send(self._pgconn)
        failed: psycopg.Error | None = None
        while self._waiting:
            results = yield from fetch_many(self._pgconn)
            sent, key = self._waiting.popleft()
            wrong = self._taken(results[-1], sent, key)
            failed = failed or wrong
        yield from fetch_many(self._pgconn)
        if failed is not None:
            raise failed

    def _taken(
        self, result: PGresult, sent: Sent | None, key: tuple[bytes, tuple[int, ...]] | None
    ) -> psycopg.Error | None:
        if result.status in (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK):
            if sent is not None:
                sent.pgresult = result
            return None
        if key is not None:
            self._connection.statements.pop(key, None)
        if result.status == ExecStatus.PIPELINE_ABORTED:
            return None
        return psycopg.errors.error_from_result(result)


class Sent:
    """A statement among others: whoever asks for its rows waits for all of them."""

    __slots__ = ("_gathered", "pgresult")

    def __init__(self, gathered: Gathered) -> None:
        self._gathered = gathered
        self.pgresult: PGresult | None = None

    async def fetchall(self) -> list[TupleRow]:
        """Its rows, each time all of them."""
        if self.pgresult is None:
            await self._gathered.arrive()
        if self.pgresult is None:
            raise psycopg.InterfaceError("a statement that has failed has no rows")
        return self._gathered.rows(self.pgresult)

    async def fetchone(self) -> TupleRow | None:
        """The first row, each time; None when there is none."""
        rows = await self.fetchall()
        return rows[0] if rows else None


@asynccontextmanager
async def gathering(connection: Prepared) -> AsyncIterator[Gathered]:
    """What is executed in it goes out where rows are fetched, and at the end. Left by an exception, a transaction that was
    begun in it is rolled back."""
    connection.pgconn.enter_pipeline_mode()
    gathered = Gathered(connection)
    try:
        yield gathered
        await gathered.arrive()
    except BaseException:
        await gathered.undo()
        raise
    finally:
        if connection.pgconn.status == ConnStatus.OK:
            connection.pgconn.exit_pipeline_mode()


@cache
def _statement(query: str) -> _Statement:
    names: dict[str, int] = {}
    count = 0

    def number(found: re.Match[str]) -> str:
        nonlocal count
        if found[0] == "%%":
            return "%"
        if found[1] is None:
            count += 1
            return f"${count}"
        return f"${names.setdefault(found[1], len(names) + 1)}"

    text = _PLACEHOLDER.sub(number, query).encode()
    return _Statement(text, None if count else tuple(names), [PyFormat.AUTO] * (count or len(names)))


def _in_order(statement: _Statement, params: Any) -> Sequence[Any]:
    found: Sequence[Any] = params
    return found if statement.names is None else [params[name] for name in statement.names]
