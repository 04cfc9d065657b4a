"""Pull-next while 100,000 tickets are open: what an agent waits for, over HTTP, with others pulling at the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
import psycopg
import uvloop

from contracts.ids import workspace_id
from contracts.workspace import Agent, Category, Department, Workspace
from desk.auth import create_key
from runtime.postgres import Database
from sinks.config_files import version
from sinks.postgres.config_store import ConfigStore
from tests.bench.client import Connection, answer
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
    """Each agent pulls and solves in turn; only the pull is measured: with nobody else at the desk, and with as many at once as
    keep a machine of two cores busy."""
    pulls = 100 if system.quick else 1_000
    _fill(system, OPEN // 50 if system.quick else OPEN)
    system.run(("desk",))
    keys, port = asyncio.run(_keys(system)), system.chain.settings.desk_port
    for name, at_once in (("pull_next_p99_ms", 1), ("pull_next_p99_ms_busy", AT_ONCE)):
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            delays = runner.run(_pulls(port, keys, pulls, at_once))
        p50, p99 = (percentile(delays, share) * 1000 for share in (0.5, 0.99))
        system.report.note(f"pull-next, {at_once} at once: p50 {p50:.2f} ms")
        system.report.figure(name, p99, "ms")
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


async def _keys(system: System) -> list[str]:
    settings, workspace = system.chain.settings, workspace_id(system.chain.prepared.workspace.slug)
    config = _config(system.chain.prepared.workspace)
    async with Database(settings.postgres_system, max_size=1) as database:
        await ConfigStore(database).apply(config, version(config), "bench", datetime.now(UTC))
        return [await create_key(database, workspace, agent.id, "agent") for agent in config.agents]


async def _pulls(port: int, keys: Sequence[str], count: int, at_once: int) -> list[float]:
    """How long each of so many pulls took, by agents of whom `at_once` pull and solve at the same time."""
    own = [keys[start::at_once] for start in range(at_once)]
    found = await asyncio.gather(*(_agents(port, some, count // at_once) for some in own))
    return [delay for delays in found for delay in delays]


async def _agents(port: int, keys: Sequence[str], count: int) -> list[float]:
    line, delays = await asyncio.open_connection("127.0.0.1", port), []
    for number in range(count):
        key = keys[number % len(keys)]
        began = time.perf_counter()
        ticket = await _post(line, "/tickets/next", key)
        delays.append(time.perf_counter() - began)
        await _post(line, f"/tickets/{ticket}/status", key, b'{"status":"solved"}')
    line[1].close()
    await line[1].wait_closed()
    return delays


async def _post(line: Connection, path: str, key: str, body: bytes = b"") -> int:
    """The number of the ticket that the answer shows."""
    head = f"POST {path} HTTP/1.1\r\nHost: desk\r\nAuthorization: Bearer {key}\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    line[1].write(head.encode() + body)
    status, answered = await answer(line[0])
    assert status == 200, (status, answered)
    return int(msgspec.json.decode(answered)["ticket"]["number"])
