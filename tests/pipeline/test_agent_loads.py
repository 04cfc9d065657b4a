"""What an agent holds is kept as tickets change: it always equals what a count would say."""

from __future__ import annotations

import random
from typing import Any
from uuid import UUID, uuid4

import psycopg

from runtime.postgres import Database
from sinks.postgres import staff_store
from tests.support.loads import COUNTED, KEPT
from tests.support.system import Dsns

WORKSPACE = UUID(int=7)
_ADD = """
INSERT INTO tickets (workspace, ticket_id, number, version, customer_id, trust, channel, account, department,
    priority, status, agent, messages, created_at, updated_at, audit_head)
SELECT %(workspace)s, t.id, %(first)s + t.n, 1, t.id, 'none', t.channel, 'a', 'sales', 'low', t.status, t.agent, 1, now(), now(), ''
FROM unnest(%(ids)s::uuid[], %(channels)s::text[], %(statuses)s::text[], %(agents)s::text[])
    WITH ORDINALITY AS t(id, channel, status, agent, n)
ON CONFLICT (workspace, ticket_id) DO UPDATE SET agent = excluded.agent, status = excluded.status, channel = excluded.channel
"""
_DELETE = "DELETE FROM tickets WHERE ticket_id = ANY(%(ids)s)"
_SOLVE = "UPDATE tickets SET status = 'solved' WHERE ticket_id = ANY(%(ids)s)"
_MOVE = "UPDATE tickets SET agent = 'ben' WHERE ticket_id = ANY(%(ids)s)"


def test_loads_equal_a_count_after_any_change(database: Dsns) -> None:
    """Sets of new and known tickets written at once, moved, solved, opened again, handed back and deleted."""
    seed = random.Random(1)
    ids = [uuid4() for _ in range(40)]
    with psycopg.connect(database.system, autocommit=True) as connection:
        for _ in range(60):
            connection.execute(seed.choice((_ADD, _ADD, _DELETE, _SOLVE, _MOVE)), _some(seed, ids))
            assert _kept(connection) == connection.execute(COUNTED).fetchall()
        assert _kept(connection)
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("TRUNCATE tickets CASCADE")
    with psycopg.connect(database.system) as connection:
        assert not _kept(connection)


def test_the_application_changes_loads_of_its_workspaces_alone(database: Dsns) -> None:
    """The triggers work with the rights of whoever writes."""
    seed = random.Random(2)
    with psycopg.connect(database.app) as connection:
        connection.execute("SELECT set_config('app.workspaces', %s, true)", [str(WORKSPACE)])
        connection.execute(_ADD, _some(seed, [uuid4() for _ in range(9)], status="new", agent="ann"))
        assert sum(held for *_, held in _kept(connection)) == 9
        connection.execute("SELECT set_config('app.workspaces', %s, true)", [str(uuid4())])
        assert not _kept(connection)


async def test_many_changes_are_summed_up_by_who_holds_the_agents(database: Dsns) -> None:
    """What others add meanwhile stays."""
    seed, both = random.Random(3), [(WORKSPACE, "ann"), (WORKSPACE, "ben")]
    ids = [uuid4() for _ in range(20)]
    with psycopg.connect(database.system, autocommit=True) as connection:
        for _ in range(150):
            connection.execute(seed.choice((_ADD, _SOLVE)), _some(seed, ids))
        connection.execute(_ADD, _some(seed, ids, status="new", agent="ann"))
        async with Database(database.app, max_size=1) as app, app.transaction([WORKSPACE]) as mine:
            held, many = await (await staff_store.loads(mine, both))()
            assert many == set(both)
            connection.execute(_ADD, _some(seed, [uuid4()], status="new", agent="ann"))
            await staff_store.sum_loads(mine, many)
            again, few = await (await staff_store.loads(mine, both))()
            assert not few
            assert sum(again[both[0]].values()) == sum(held[both[0]].values()) + 1 == 21
        assert _kept(connection) == connection.execute(COUNTED).fetchall()


def _some(
    seed: random.Random, ids: list[UUID], status: str | None = None, agent: str | None = None
) -> dict[str, Any]:
    chosen = ids if agent else seed.sample(ids, seed.randint(1, 12))
    return {
        "workspace": WORKSPACE,
        "first": seed.randrange(10**9),
        "ids": chosen,
        "channels": [seed.choice(("email", "chat")) for _ in chosen],
        "statuses": [status or seed.choice(("new", "open", "waiting", "solved")) for _ in chosen],
        "agents": [agent or seed.choice(("ann", "ben", None)) for _ in chosen],
    }


def _kept(connection: psycopg.Connection[Any]) -> list[Any]:
    return connection.execute(KEPT).fetchall()
