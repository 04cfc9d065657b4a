"""The router alone, on its own database: 200 rules with 500 keywords, 100 agents, 100,000 open tickets that are there already."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg

from contracts.inbound import InboundMessage
from contracts.rules import Actions, Condition, Rule
from contracts.workspace import Agent, Department, Workspace
from frontdesk.commands.replaying import back_test
from router.decide import assign, place
from router.facts import Facts, Staff
from router.ruleset import RuleSet
from sinks.config_files import version
from tests.bench import write_limit
from tests.bench.report import percentile
from tests.bench.workers import System
from tests.support.routed import Routed, routed
from tests.support.routing import NOW, WORKSPACE, message, resolved, workspace
from tests.support.system import Dsns, fresh_database, migrated_template

RULES, KEYWORDS, AGENTS, OPEN = 200, 500, 100, 100_000
BATCH = 500
_WRITTEN = ("messages", "tickets", "ticket_participants", "decisions", "audit", "outbox")

# One column of `tickets` tells what was there before, so that the rows that count can be told apart.
_FILL = """
INSERT INTO tickets (workspace, ticket_id, number, version, customer_id, trust, channel, account, store, department, priority,
                     status, agent, due_at, messages, created_at, updated_at, audit_head)
SELECT %(workspace)s, gen_random_uuid(), 1000000 + n, 1, gen_random_uuid(), 'none', 'email', 'support', 'before',
       'd' || n %% 20, 'medium', 'open', 'a' || n %% 100, %(at)s, 1, %(at)s, %(at)s, ''
FROM generate_series(1, %(count)s) AS n
"""


class Rates(NamedTuple):
    """Messages a second, the slowest batches in milliseconds, and of the back-test of the same messages."""

    routed: float
    p99_ms: float
    tested: float


def measure(system: System) -> None:
    """Each figure on fresh databases; the write limit writes the very rows that were written."""
    count, times = (BATCH, 1) if system.quick else (6 * BATCH, 3)
    report = system.report
    report.figure("decide_us", report.median("decide_us", [_decide(count) for _ in range(times)]), "us")
    template = migrated_template(system.chain.postgres)
    one, ratios = list[Rates](), list[float]()
    for _ in range(times):
        with fresh_database(system.chain.postgres, template) as dsns:
            one.append(asyncio.run(_route(dsns, count, rotations=1)))
            ratios.append(one[-1].routed / write_limit.measure(system.chain, _rows(dsns)))
    report.figure("router_per_s", report.median("router_per_s", [r.routed for r in one]), "1/s")
    report.figure("router_p99_ms", report.median("router_p99_ms", [r.p99_ms for r in one]), "ms")
    report.figure("router_vs_write_limit", report.median("router_vs_write_limit", ratios), "ratio")
    report.figure("backtest_per_s", report.median("backtest_per_s", [r.tested for r in one]), "1/s")
    with fresh_database(system.chain.postgres, template) as dsns:
        twenty = asyncio.run(_route(dsns, count, rotations=20))
    report.figure("router_per_s_20_rotations", twenty.routed, "1/s")


def configured(rotations: int) -> Workspace:
    """Each rule has a few of the keywords and leads to one of the departments; each of these has a rotation."""
    agents = tuple(Agent(id=f"a{n}", name=f"Agent {n}") for n in range(AGENTS))
    share = AGENTS // rotations
    departments = tuple(
        Department(
            id=f"d{n}",
            name=f"Department {n}",
            calendar="std",
            sla="std",
            members=tuple(agent.id for agent in agents[n * share : (n + 1) * share]),
        )
        for n in range(rotations)
    )
    words = [f"keyword{n}*" if n % 3 == 0 else f"keyword{n}" for n in range(KEYWORDS)]
    rules = tuple(
        Rule(
            id=f"r{n}",
            name=f"Rule {n}",
            groups=((Condition(keywords=tuple(words[n::RULES])),),),
            actions=Actions(department=f"d{n % rotations}", tags=(f"t{n}",)),
        )
        for n in range(RULES)
    )
    return workspace(*rules, agents=agents, departments=departments, categories=(), accounts=())


def _messages(count: int) -> list[InboundMessage]:
    filler = "The quick brown fox jumps over the lazy dog. " * 20
    return [
        message(f"m{n}", email=f"p{n}@x.example", text=f"{filler} keyword{n % KEYWORDS} {filler}"[:1000])
        for n in range(count)
    ]


def _decide(count: int) -> float:
    """CPU time of one decision in microseconds, each for another customer."""
    rules, facts, staff = RuleSet(configured(1), "0" * 16), Facts(), Staff()
    given = [(resolved(one, uuid4()), one) for one in _messages(count)]
    began = time.process_time()
    for known, one in given:
        placement = place(known, one, facts, rules, NOW)
        facts.after(placement)
        staff.after(assign(placement, staff, rules), NOW)
    return 1e6 * (time.process_time() - began) / count


async def _route(dsns: Dsns, count: int, rotations: int) -> Rates:
    with psycopg.connect(dsns.owner) as connection:
        connection.execute(_FILL, {"workspace": WORKSPACE, "at": NOW, "count": OPEN})
    config = configured(rotations)
    async with routed(dsns, config) as desk:
        warm, *batches = await _batches(desk, count + BATCH)
        await desk.router.run(warm)
        seconds = []
        for batch in batches:
            began = time.monotonic()
            await desk.router.run(batch)
            seconds.append(time.monotonic() - began)
        began = time.monotonic()
        later = NOW + timedelta(hours=1)
        tested = await back_test(desk.database, WORKSPACE, RuleSet(config, version(config)), 1, later)
        rate = tested.decisions / (time.monotonic() - began)
    return Rates(count / sum(seconds), 1000 * percentile(seconds, 0.99), rate)


async def _batches(desk: Routed, count: int) -> list[Any]:
    given = _messages(count)
    return [await desk.batch(given[at : at + BATCH]) for at in range(0, count, BATCH)]


def _rows(dsns: Dsns) -> list[write_limit.Table]:
    with psycopg.connect(dsns.owner) as connection:
        connection.execute("DELETE FROM tickets WHERE store = 'before'")
        return write_limit.stored(connection, _WRITTEN)
