"""Transactions that somebody waits for: all or nothing like any other, though their statements go out together."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import psycopg
import pytest

from contracts.errors import Poison
from contracts.ids import workspace_id
from runtime import gathering
from runtime.postgres import Connection, Database, together
from sinks.postgres.sql import run
from tests.support.routing import WORKSPACE
from tests.support.system import Dsns

OTHER = workspace_id("other")
ADD = "INSERT INTO agents (workspace, agent) SELECT * FROM unnest(%(workspaces)s::uuid[], %(agents)s::text[])"
STAMP = """UPDATE agents SET last_assigned_at = new.at, presence = new.presence
FROM unnest(%(agents)s::text[], %(at)s::timestamptz[], %(words)s::text[]) AS new(agent, at, presence)
WHERE agents.agent = new.agent"""


async def _add(connection: Connection, *agents: str) -> None:
    await run(connection, ADD, ("workspaces", "agents"), [(WORKSPACE, agent) for agent in agents])


async def _agents(app: Database) -> list[str]:
    return [agent for (agent,) in await app.fetch([WORKSPACE], "SELECT agent FROM agents ORDER BY agent")]


async def test_it_is_stored_at_its_end_and_seen_within(database: Dsns) -> None:
    async with Database(database.app, max_size=1) as app:
        async with app.short([WORKSPACE]) as connection:
            await _add(connection, "ann")
            async with together(connection):
                await _add(connection, "ben", "cem")
            rows = await (await connection.execute("SELECT count(*) FROM agents")).fetchall()
        assert rows == [(3,)]
        assert await _agents(app) == ["ann", "ben", "cem"]


async def _fail(app: Database, *batches: tuple[str, ...], error: Exception | None = None) -> None:
    async with app.short([WORKSPACE]) as connection:
        for batch in batches:
            await _add(connection, *batch)
        if error:
            raise error


async def test_nothing_is_stored_when_it_is_left_by_an_exception(database: Dsns) -> None:
    async with Database(database.app, max_size=1) as app:
        with pytest.raises(KeyError):
            await _fail(app, ("ann",), error=KeyError())
        assert await _agents(app) == [], "and the connection is good for others"


async def test_nothing_is_stored_when_a_statement_is_refused_that_nobody_waits_for(database: Dsns) -> None:
    async with Database(database.app, max_size=1) as app:
        with pytest.raises(Poison, match="refused_by_database"):
            await _fail(app, ("ann",), ("ann",), ("ben",))
        with pytest.raises(Poison, match="refused_by_database"):
            await _fail(app, ("cem",), ("ben", "ben"))
        assert await _agents(app) == []


async def test_who_gives_up_leaves_nothing_behind(database: Dsns) -> None:
    async with Database(database.app, max_size=1) as app:

        async def sleep() -> None:
            async with app.short([WORKSPACE]) as connection:
                await _add(connection, "ann")
                await (await connection.execute("SELECT pg_sleep(60)")).fetchall()

        for waiting in (sleep(), app.fetch([WORKSPACE], "SELECT pg_sleep(60)")):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(waiting, 0.5)
            assert await _agents(app) == []


async def _fail_at_length(app: Database) -> None:
    async with app.transaction([WORKSPACE]) as connection:
        await connection.execute("SELECT 1")
        await connection.execute("SELECT 1")
        raise KeyError


async def _prepared(app: Database) -> list[str]:
    rows = await app.fetch([], "SELECT name FROM pg_prepared_statements ORDER BY prepare_time, name")
    return [name for (name,) in rows]


async def test_a_refusal_costs_no_plan_and_what_the_session_forgot_is_prepared_again(database: Dsns) -> None:
    async with Database(database.app, max_size=1) as app:
        await _fail(app, ("ann",))
        known = await _prepared(app)
        with pytest.raises(KeyError):
            await _fail(app, ("ben",), error=KeyError())
        assert (await _prepared(app))[: len(known)] == known
        # psycopg empties the session's memory with its own rollback.
        for _ in range(3):
            with pytest.raises(KeyError):
                await _fail_at_length(app)
        assert len(await _prepared(app)) < len(known)
        await _fail(app, ("ben",))
        assert await _agents(app) == ["ann", "ben"]


async def test_a_statement_that_cannot_be_prepared_is_no_obstacle_to_the_next(database: Dsns) -> None:
    async with Database(database.app, max_size=1) as app:
        for _ in range(2):
            with pytest.raises(psycopg.errors.UndefinedTable):
                await app.fetch([], "SELECT 1 FROM nothing_of_this_name")
            with pytest.raises(Poison):
                await app.fetch([], "SELECT %(word)s::int", {"word": "seven"})
        assert await app.fetch([], "SELECT %s::int, 5 %% 3", [7]) == [(7, 2)]
        assert await app.fetch([], "SELECT '%s'") == [("%s",)]


async def test_beyond_so_many_statements_they_go_without_a_name(
    database: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "_MOST_PREPARED", 3)
    async with Database(database.app, max_size=1) as app:
        for number in range(5):
            assert await app.fetch([], f"SELECT {number} + %(more)s", {"more": 1}) == [(number + 1,)]
        assert len(await _prepared(app)) == 3


async def test_it_sees_its_workspaces_only_and_so_does_a_single_statement(database: Dsns) -> None:
    async with Database(database.app, max_size=1) as app:
        async with app.short([WORKSPACE]) as connection:
            await _add(connection, "ann")
        assert await app.fetch([OTHER], "SELECT agent FROM agents") == []
        assert await app.fetch([], "SELECT agent FROM agents") == []
        assert await _agents(app) == ["ann"]


async def test_statements_wait_for_each_other_on_this_side(database: Dsns) -> None:
    """The server hears of nothing before somebody wants an answer: it is woken once."""
    async with Database(database.app, max_size=1) as app, Database(database.owner, max_size=1) as beside:

        async def state() -> str:
            query = "SELECT state FROM pg_stat_activity WHERE pid = %s"
            ((found,),) = await beside.fetch([], query, [pid])
            return str(found)

        ((pid,),) = await app.fetch([], "SELECT pg_backend_pid()")
        async with app.short([WORKSPACE]) as connection:
            cursor = await connection.execute("SELECT 1")
            assert await state() == "idle"
            assert await cursor.fetchall() == [(1,)]
            assert await state() == "idle in transaction"


async def test_one_row_is_written_as_many_are(database: Dsns) -> None:
    """Whatever its values: the one goes without arrays."""
    at, names = datetime(2026, 11, 20, 12, 30, 15, 250, tzinfo=UTC), ("agents", "at", "words")
    async with Database(database.app, max_size=1) as app:
        async with app.short([WORKSPACE]) as connection:
            await _add(connection, "ann", "ben", "cem", "d{e}\\,")
            await run(connection, STAMP, names, [("ann", at, "away")])
            await run(connection, STAMP, names, [("ben", at, "away"), ("cem", None, None)])
            await run(connection, STAMP, names, [("d{e}\\,", None, None)])
        query = "SELECT agent, last_assigned_at, presence FROM agents ORDER BY agent"
        assert await app.fetch([WORKSPACE], query) == [
            ("ann", at, "away"),
            ("ben", at, "away"),
            ("cem", None, None),
            ("d{e}\\,", None, None),
        ]
