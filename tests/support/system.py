"""A migrated database of its own for each test, on the session's Postgres, and books opened at the topics' ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Protocol

import psycopg
from psycopg import sql

from runtime.kafka import end_offsets
from sinks.postgres.migrate import create_database, migrate
from sinks.verify import COUNTED

_TEMPLATE = "frontdesk_template"
_numbers = count(1)


class Server(Protocol):
    """The session's Postgres."""

    def dsn(self, user: str, dbname: str) -> str: ...


class Broker(Protocol):
    """The session's Kafka."""

    @property
    def bootstrap(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Dsns:
    """One database, as each role reaches it."""

    owner: str
    app: str
    system: str


def migrated_template(server: Server) -> str:
    """The name of the database that others are copied from; made at the first call."""
    dsn = server.dsn("postgres", _TEMPLATE)
    create_database(dsn)
    migrate(dsn)
    return _TEMPLATE


@contextmanager
def fresh_database(server: Server, template: str) -> Iterator[Dsns]:
    """A copy of the template, gone at the end whoever is still connected."""
    name = f"test_{next(_numbers)}"
    with psycopg.connect(server.dsn("postgres", "postgres"), autocommit=True) as connection:
        drop = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
            sql.Identifier(name), sql.Identifier(template)
        )
        connection.execute(drop)
        connection.execute(create)
        try:
            roles = ("postgres", "frontdesk_app", "frontdesk_system")
            yield Dsns(*(server.dsn(role, name) for role in roles))
        finally:
            connection.execute(drop)


async def open_books(bootstrap: str, database: Dsns) -> dict[tuple[str, int], int]:
    """Lets `verify` begin where the topics end now: what tests before this one produced is not this one's. Returns the
    ends."""
    ends = await end_offsets(bootstrap, COUNTED)
    async with await psycopg.AsyncConnection.connect(database.system, autocommit=True) as connection:
        for (topic, partition), offset in ends.items():
            await connection.execute(
                "INSERT INTO checkpoints VALUES (%s, %s, %s, 0, 0, 0, 0)", (topic, partition, offset)
            )
    return ends


async def eventually(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Until the condition holds; `TimeoutError` if it never does."""
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.05)
