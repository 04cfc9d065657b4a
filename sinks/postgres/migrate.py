"""Migrations: the plain SQL files of `migrations/`, applied in order by yoyo, each in a transaction of its own.

All functions take the DSN of the schema's owner, in any form libpq takes (URL or keywords, TCP or a socket folder).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from yoyo import read_migrations
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import DatabaseURI
from yoyo.migrations import MigrationList, default_migration_table

from contracts.errors import Refused, Transient

# A migration that cannot have its lock at once would make every query behind it wait: it gives up instead.
_LOCK_TIMEOUT = "2s"

# One migrator at a time. Unlike yoyo's lock row, a session lock does not survive the death of its holder.
_MIGRATOR = 0x66726F6E74646573
_MIGRATOR_SECONDS = 60.0


def create_database(owner_dsn: str) -> bool:
    """Makes the database that the DSN names; false if it is there. The owner needs the right to create databases.

    Raises `Refused` for a DSN that names none.
    """
    name = conninfo_to_dict(owner_dsn).get("dbname")
    if not name:
        raise Refused("no_database", "the owner's DSN names no database (FRONTDESK_POSTGRES_OWNER)")
    try:
        with psycopg.connect(make_conninfo(owner_dsn, dbname="postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(str(name))))
    except psycopg.errors.DuplicateDatabase:
        return False
    except psycopg.OperationalError as error:
        raise Transient(f"create database: {type(error).__name__}") from error
    return True


def migrate(owner_dsn: str) -> list[str]:
    """Applies what is pending and returns its names in order; an empty list if the schema is up to date.

    Several processes may call it at once: one applies, the others wait for it. Raises `Transient` if a lock is not to be
    had in time or the server is away; a migration that fails leaves no trace of itself.
    """
    with _opened(owner_dsn) as (backend, migrations):
        outstanding = backend.to_apply(migrations)
        backend.apply_migrations(outstanding)
        return [migration.id for migration in outstanding]


def pending(owner_dsn: str) -> list[str]:
    """Names of the migrations that `migrate` would apply."""
    with _opened(owner_dsn) as (backend, migrations):
        return [migration.id for migration in backend.to_apply(migrations)]


def level(owner_dsn: str) -> str | None:
    """Name of the newest applied migration; None for a database without any."""
    with _opened(owner_dsn) as (backend, migrations):
        applied = set(backend.get_applied_migration_hashes())
        names = [migration.id for migration in migrations if migration.hash in applied]
        return max(names, default=None)


@contextmanager
def _opened(owner_dsn: str) -> Iterator[tuple[PostgresqlPsycopgBackend, MigrationList]]:
    try:
        # Not `get_backend`: its URL cannot carry every DSN, and it would begin before the lock is held.
        with PostgresqlPsycopgBackend(_uri(owner_dsn), default_migration_table) as backend:
            _claim(backend)
            backend.execute(f"SET lock_timeout = '{_LOCK_TIMEOUT}'")
            backend.init_database()
            backend.break_lock()
            with as_file(files("sinks.postgres").joinpath("migrations")) as folder:
                yield backend, read_migrations(str(folder))
    except psycopg.OperationalError as error:
        raise Transient(f"migrate: {type(error).__name__}") from error


def _claim(backend: PostgresqlPsycopgBackend) -> None:
    """Asks again and again: a session that waits for a lock keeps its snapshot, and an index that is built concurrently
    waits for that. Raises `Transient`."""
    deadline = time.monotonic() + _MIGRATOR_SECONDS
    while not backend.execute(f"SELECT pg_try_advisory_lock({_MIGRATOR})").fetchone()[0]:
        backend.rollback()
        if time.monotonic() > deadline:
            raise Transient("migrate: another migrator is at work")
        time.sleep(0.1)


def _uri(dsn: str) -> DatabaseURI:
    """yoyo's form of a DSN: every parameter goes to the driver as it is."""
    parameters = conninfo_to_dict(dsn)
    database = parameters.pop("dbname", None)
    return DatabaseURI("postgresql+psycopg", None, None, None, None, database, parameters)
