"""Pull-next while 100,000 tickets are open: what an agent waits for, over HTTP, with others pulling at the same time."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import psycopg

from contracts.ids import workspace_id
from contracts.workspace import Agent, Category, Department, Workspace
from desk.auth import create_key
from runtime.postgres import Database
from sinks.config_files import version
from sinks.postgres.config_store import ConfigStore
from tests.bench.report import percentile
from tests.bench.workers import System

OPEN = 100_000
AGENTS, AT_ONCE, DEPARTMENTS, CATEGORIES = 50, 4, 10, 5

_FILL = """
INSERT INTO tickets (workspace, ticket_id, number, version, customer_id, trust, channel, account, department, category,
                     priority, status, due_at, messages, created_at, updated_at, held_since, audit_head)
SELECT %(workspace)s, gen_random_uuid(), 1000000 + n, 1, gen_random_uuid(), 'none', 'email', 'support',
       'd' || n %% %(departments)s, 'C' || n %% %(departments)s || '/' || n %% %(categories)s, 'medium', 'new',
       %(now)s + random() * interval '10 days', 1, %(now)s, %(now)s, %(now)s, decode(repeat('00', 32), 'hex')
FROM generate_series(1, %(open)s) AS n
"""


def measure(system: System) -> None:
    """Each agent pulls and solves in turn; only the pull is measured."""
    pulls = 100 if system.quick else 1_000
    _fill(system, OPEN // 50 if system.quick else OPEN)
    system.run(("desk",))
    delays = asyncio.run(_pulls(system, pulls))
    system.report.figure("pull_next_p99_ms", percentile(delays, 0.99) * 1000, "ms")
    system.report.note(f"pull-next p50: {percentile(delays, 0.5) * 1000:.2f} ms")
    system.sample_rss()


def _fill(system: System, count: int) -> None:
    workspace = workspace_id(system.chain.prepared.workspace.slug)
    values = {
        "workspace": workspace,
        "now": datetime.now(UTC),
        "open": count,
        "departments": DEPARTMENTS,
        "categories": CATEGORIES,
    }
    with psycopg.connect(system.chain.settings.postgres_system, autocommit=True) as connection:
        connection.execute(_FILL, values)
    with psycopg.connect(system.chain.settings.postgres_owner, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE tickets")


def _config(base: Workspace) -> Workspace:
    names = [f"d{number}" for number in range(DEPARTMENTS)]
    return msgspec.structs.replace(
        base,
        agents=tuple(
            Agent(id=f"a{n}", name=f"A{n}", departments=(names[n % DEPARTMENTS],)) for n in range(AGENTS)
        ),
        departments=tuple(
            Department(id=name, name=name, calendar="std", sla="standard", method="queue") for name in names
        ),
        categories=tuple(
            Category(path=f"C{d}/{c}", department=f"d{d}")
            for d in range(DEPARTMENTS)
            for c in range(CATEGORIES)
        ),
        rules=(),
        accounts=(),
        default_department=names[0],
    )


async def _pulls(system: System, count: int) -> list[float]:
    settings, workspace = system.chain.settings, workspace_id(system.chain.prepared.workspace.slug)
    config = _config(system.chain.prepared.workspace)
    async with Database(settings.postgres_system, max_size=1) as database:
        since = datetime.now(UTC) - timedelta(minutes=1)
        await ConfigStore(database).apply(config, version(config), "bench", since)
        keys = [await create_key(database, workspace, agent.id, "agent") for agent in config.agents]
    url = f"http://127.0.0.1:{settings.desk_port}"
    async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False) as client:
        own = [keys[start::AT_ONCE] for start in range(AT_ONCE)]
        found = await asyncio.gather(*(_agents(client, some, count // AT_ONCE) for some in own))
    return [delay for delays in found for delay in delays]


async def _agents(client: httpx.AsyncClient, keys: list[str], count: int) -> list[float]:
    delays = []
    for number in range(count):
        headers = {"Authorization": f"Bearer {keys[number % len(keys)]}"}
        began = time.perf_counter()
        answer = await client.post("/tickets/next", headers=headers)
        delays.append(time.perf_counter() - began)
        assert answer.status_code == 200, answer.text
        ticket = answer.json()["ticket"]["number"]
        solved = await client.post(f"/tickets/{ticket}/status", json={"status": "solved"}, headers=headers)
        assert solved.status_code == 200, solved.text
    return delays
