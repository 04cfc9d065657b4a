"""The schema: migrations apply once, and no table can leak a workspace."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from uuid import UUID

import psycopg
import pytest

from contracts.ids import workspace_id
from runtime.postgres import Database
from sinks.postgres.migrate import create_database, level, migrate, pending
from tests.support.system import Dsns, Server

ONE, OTHER = workspace_id("one"), workspace_id("other")

_TABLES = """
    SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity,
           ARRAY (SELECT p.polname::text FROM pg_policy p WHERE p.polrelid = c.oid ORDER BY 1)
    FROM pg_class c
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
      AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'workspace')
    ORDER BY 1
"""


@pytest.fixture
def dsn(postgres: Server) -> Iterator[str]:
    """The owner's DSN of a database that is not there yet."""
    yield postgres.dsn("postgres", "test_migrations")
    with psycopg.connect(postgres.dsn("postgres", "postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS test_migrations WITH (FORCE)")


def test_applies_once_in_order(dsn: str) -> None:
    assert create_database(dsn)
    assert not create_database(dsn)
    assert level(dsn) is None
    outstanding = pending(dsn)
    assert outstanding == sorted(outstanding)
    assert migrate(dsn) == outstanding
    assert (migrate(dsn), pending(dsn), level(dsn)) == ([], [], outstanding[-1])


def test_two_migrators_at_once_apply_each_step_once(dsn: str) -> None:
    create_database(dsn)
    outstanding = pending(dsn)
    applied: list[str] = []
    threads = [threading.Thread(target=lambda: applied.extend(migrate(dsn))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert applied == outstanding


def test_every_table_of_a_workspace_is_under_forced_row_level_security(database: Dsns) -> None:
    with psycopg.connect(database.owner) as connection:
        rows = connection.execute(_TABLES).fetchall()
    assert len(rows) > 10
    unprotected = [row for row in rows if row[1:] != (True, True, ["app", "system"])]
    assert unprotected == []


def test_every_key_of_such_a_table_begins_with_the_workspace(database: Dsns) -> None:
    """Except the books of delivery, whose keys are positions and ids of their own."""
    with psycopg.connect(database.owner) as connection:
        rows = connection.execute(
            """
            SELECT c.relname FROM pg_index i
            JOIN pg_class c ON c.oid = i.indrelid
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'workspace'
            WHERE i.indisprimary AND c.relnamespace = 'public'::regnamespace AND i.indkey[0] <> a.attnum
            """
        ).fetchall()
    assert {row[0] for row in rows} == {"outbox", "dead_letters"}


def test_the_application_role_owns_nothing_and_cannot_pass_security(database: Dsns) -> None:
    with psycopg.connect(database.owner) as connection:
        owned = connection.execute(
            "SELECT relname FROM pg_class WHERE relowner IN ('frontdesk_app'::regrole, 'frontdesk_system'::regrole)"
        ).fetchall()
        rights = connection.execute(
            "SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname IN ('frontdesk_app', 'frontdesk_system')"
        ).fetchall()
        books = connection.execute(
            "SELECT has_table_privilege('frontdesk_app', '_yoyo_migration', 'SELECT, INSERT, UPDATE, DELETE')"
        ).fetchone()
    assert owned == []
    assert sorted(rights) == [("frontdesk_app", False, False), ("frontdesk_system", False, False)]
    assert books == (False,)


async def test_another_workspace_sees_nothing_and_writes_nothing(database: Dsns) -> None:
    insert = "INSERT INTO agents (workspace, agent) VALUES (%s, 'ana')"
    async with Database(database.app) as app:
        async with app.transaction([ONE]) as connection:
            await connection.execute(insert, (ONE,))
        assert await _agents(app, [ONE]) == [(ONE,)]
        assert await _agents(app, [OTHER]) == []
        assert await _agents(app, []) == []
        assert await _agents(app, [ONE, OTHER]) == [(ONE,)]
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with app.transaction([OTHER]) as connection:
                await connection.execute(insert, (ONE,))
    async with Database(database.system) as system:
        assert await _agents(system, []) == [(ONE,)]


async def _agents(database: Database, workspaces: list[UUID]) -> list[tuple[UUID]]:
    return [(row[0],) for row in await database.fetch(workspaces, "SELECT workspace FROM agents")]


async def test_the_trail_cannot_be_changed_even_by_its_owner(database: Dsns) -> None:
    insert = (
        "INSERT INTO audit (workspace, ticket_id, version, at, actor, action, detail, hash)"
        " VALUES (%s, %s, 1, now(), 'router', 'created', '{}', '')"
    )
    async with Database(database.app) as app:
        async with app.transaction([ONE]) as connection:
            await connection.execute(insert, (ONE, ONE))
        for statement in ("UPDATE audit SET actor = 'somebody'", "DELETE FROM audit"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                async with app.transaction([ONE]) as connection:
                    await connection.execute(statement)
    with psycopg.connect(database.owner) as connection, pytest.raises(psycopg.errors.RaiseException):
        connection.execute("DELETE FROM audit")
