"""Identity among a million customers: messages a second and whether that depends on how many there are, suggestions, and
eight workers in each other's way."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections.abc import Sequence
from itertools import count
from typing import Any

import psutil
import psycopg

from contracts.base import encode
from contracts.errors import Transient
from contracts.ids import workspace_id
from contracts.inbound import Handle, InboundMessage, Sender
from contracts.topics import INBOUND
from desk.suggestions import Suggestions
from identity.history import link_events
from identity.traits import traits
from identity.worker import Identity
from runtime.clock import Clock
from runtime.hosts.memory import MemoryProducer
from runtime.postgres import Database
from runtime.stage import Batch, Delivery, Record
from sinks.postgres import identity_store, suggestion_store
from sinks.postgres.config_store import ConfigStore, WorkspaceCache
from sinks.postgres.identity_rows import CustomerRow
from tests.bench.report import percentile
from tests.bench.workers import System
from tests.support.identity import Registry
from tests.support.routing import NOW, message
from tests.support.system import Dsns, fresh_database, migrated_template

WORKSPACE = workspace_id("test")
SIZE = 500
_WORKERS = 8

# Customers %(low)s to %(high)s, each with an address and a number, every second with a chat: as identity leaves them.
_POPULATE = (
    """INSERT INTO customers (workspace, customer_id, founding_kind, founding_value, proven, display_name, created_at)
       SELECT %(workspace)s, md5('c' || n)::uuid, 'email', 'p' || n || '@d' || n %% 5000 || '.example', true,
              'First' || n %% 997 || ' Last' || n / 7, %(now)s
       FROM generate_series(%(low)s::int, %(high)s::int - 1) AS n""",
    """INSERT INTO handles (workspace, kind, value, customer_id, state, proof, since, evidence, seen)
       SELECT %(workspace)s, h.kind, h.value, md5('c' || n)::uuid, 'verified', 'verified', %(now)s, md5('m' || n)::uuid, %(now)s
       FROM generate_series(%(low)s::int, %(high)s::int - 1) AS n
       CROSS JOIN LATERAL (VALUES ('email', 'p' || n || '@d' || n %% 5000 || '.example'),
                                  ('phone', '+48' || 500000000 + n),
                                  (CASE n %% 2 WHEN 0 THEN 'telegram_user' END, 't' || n)) AS h(kind, value)
       WHERE h.kind IS NOT NULL""",
    """INSERT INTO customer_traits (workspace, kind, value, customer_id)
       SELECT %(workspace)s, t.kind, t.value, md5('c' || n)::uuid
       FROM generate_series(%(low)s::int, %(high)s::int - 1) AS n
       CROSS JOIN LATERAL (VALUES ('name', 'first' || n %% 997 || ' last' || n / 7),
                                  ('block', 'local:p' || n), ('block', 'line:' || right((500000000 + n)::text, 8)),
                                  ('block', 'last' || n / 7 || '+domain:d' || n %% 5000 || '.example'),
                                  ('block', 'first' || n %% 997 || '+domain:d' || n %% 5000 || '.example')
       ) AS t(kind, value)""",
)


def measure(system: System) -> None:
    """A tenth of a hundredth of the size when it is to be quick."""
    few, many = (1_000, 20_000) if system.quick else (10_000, 1_000_000)
    server = system.chain.postgres
    with fresh_database(server, migrated_template(server)) as database:
        _populate(system, database, 0, few)
        small = asyncio.run(_rate(database, few, first=0))
        _populate(system, database, few, many)
        asyncio.run(_measure(system, database, many, small))


async def _measure(system: System, database: Dsns, people: int, small: float) -> None:
    report = system.report
    large = await _rate(database, people, first=1_000_000)
    report.figure("identity_per_s_at_1m", SIZE / large, "1/s")
    report.figure("identity_growth_10k_to_1m", large / small, "ratio")
    report.figure("identity_vs_write", await _write(database, people) / await _newcomers(database), "ratio")
    report.figure("resolve_p99_ms_at_1m", percentile(await _single(database, people), 0.99) * 1e3, "ms")
    report.figure("suggest_p99_ms_at_1m", percentile(await _suggestions(database, people), 0.99) * 1e3, "ms")
    report.note(f"identity: {psutil.Process().memory_info().rss / 1e6:.0f} MB")
    retries, doubles, seconds = await _conflicts(database)
    report.note(f"{_WORKERS} workers on the same messages: {retries} batches again, {seconds:.1f} s")
    report.figure("identity_conflict_duplicates", doubles, "rows")


def _populate(system: System, database: Dsns, low: int, high: int) -> None:
    began = time.monotonic()
    parameters = {"workspace": WORKSPACE, "now": NOW, "low": low, "high": high}
    with psycopg.connect(database.owner, autocommit=True) as owner:
        owner.execute("SET synchronous_commit = off")
        for statement in _POPULATE:
            owner.execute(statement, parameters)
        owner.execute("VACUUM ANALYZE customers, handles, customer_traits")
    system.report.note(f"{high} customers ({time.monotonic() - began:.0f} s)")


class Stage:
    """Identity with a pool of its own."""

    def __init__(self, database: Database) -> None:
        self.producer = MemoryProducer()
        self._stage = Identity(database, self.producer, WorkspaceCache(ConfigStore(database), Clock(NOW)))
        self._offsets = count()
        self.retries = 0

    async def take(self, messages: Sequence[InboundMessage]) -> float:
        """Seconds of one batch. Who loses a race decides again, as the guard would have it."""
        records = [Record(INBOUND.name, 0, next(self._offsets), b"k", encode(one)) for one in messages]
        batch = Batch([Delivery(*pair) for pair in zip(records, messages, strict=True)])
        began = time.perf_counter()
        while True:
            try:
                await self._stage.run(batch)
            except Transient:
                self.retries += 1
                continue
            self.producer.sent.clear()
            return time.perf_counter() - began


async def _rate(database: Dsns, people: int, first: int, batches: int = 24) -> float:
    """Seconds a batch: nine of ten messages are of somebody known, by one handle or by two."""
    chance = random.Random(people)
    async with Database(database.app, max_size=1) as app:
        stage = Stage(app)
        times = [
            await stage.take([_mixed(chance, people, f"r{first}-{number}-{n}") for n in range(SIZE)])
            for number in range(batches)
        ]
    return statistics.median(times[4:])


async def _newcomers(database: Dsns) -> float:
    async with Database(database.app, max_size=1) as app:
        stage = Stage(app)
        return statistics.median([await stage.take(_new(f"n{number}")) for number in range(12)][2:])


async def _write(database: Dsns, people: int) -> float:
    """Seconds of writing the rows of newcomers, which are known beforehand."""
    times = []
    async with Database(database.app, max_size=1) as app:
        for number in range(12):
            plans = Registry().take_all(_new(f"w{number}"))
            events = [event for plan in plans for event in link_events(plan)]
            rows = [
                CustomerRow(
                    WORKSPACE, plan.links[0].customer, *plan.links[0].observation.key[1:], True, "Name", NOW
                )
                for plan in plans
            ]
            known = [row for plan in plans for row in traits(plan)]
            began = time.perf_counter()
            async with app.transaction([WORKSPACE]) as connection:
                await identity_store.write(connection, rows, events)
                await suggestion_store.add(connection, known)
            times.append(time.perf_counter() - began)
    return statistics.median(times[2:])


async def _single(database: Dsns, people: int) -> list[float]:
    chance = random.Random(2)
    async with Database(database.app, max_size=1) as app:
        stage = Stage(app)
        return [await stage.take([_mixed(chance, people, f"s{n}")]) for n in range(600)][100:]


async def _suggestions(database: Dsns, people: int) -> list[float]:
    chance, times = random.Random(3), []
    async with Database(database.app, max_size=1) as app:
        suggestions = Suggestions(app, Clock(NOW))
        for _ in range(600):
            n = chance.randrange(people)
            began = time.perf_counter()
            await suggestions.of(WORKSPACE, f"phone:+48{500000000 + n}")
            times.append(time.perf_counter() - began)
    return times[100:]


async def _conflicts(database: Dsns) -> tuple[int, int, float]:
    """Everybody has the same messages in an order of their own: new people, their second handles, and merges. Batches that
    were done again, rows that should not be, seconds."""
    messages = [_linking(n, step) for n in range(400) for step in range(3)]
    began = time.monotonic()

    async def work(number: int) -> int:
        own = random.Random(number).sample(messages, len(messages))
        async with Database(database.app, max_size=1) as app:
            stage = Stage(app)
            for at in range(0, len(own), 100):
                await stage.take(own[at : at + 100])
            return stage.retries

    retries = sum(await asyncio.gather(*(work(number) for number in range(_WORKERS))))
    doubles = (
        "SELECT (SELECT count(*) FROM (SELECT FROM handles WHERE state = 'verified' GROUP BY workspace, kind, value "
        "HAVING count(*) > 1) AS twice) + (SELECT count(*) FROM (SELECT FROM merges m JOIN merges n "
        "ON n.source = m.target AND n.target = m.source) AS circles)"
    )
    async with Database(database.system, max_size=1) as system:
        ((found,),) = await system.fetch([], doubles)
    return retries, int(found), time.monotonic() - began


def _mixed(chance: random.Random, people: int, name: str) -> InboundMessage:
    if chance.random() < 0.1:
        return _shown(name, ("email", f"{name}@new.example", "verified"))
    n = chance.randrange(people // 2) * 2
    known: list[tuple[Any, str, Any]] = [
        ("email", f"p{n}@d{n % 5000}.example", "verified"),
        ("phone", f"+48{500000000 + n}", "verified"),
        ("telegram_user", f"t{n}", "channel"),
    ]
    return _shown(name, *(known[:2] if chance.random() < 0.1 else [chance.choice(known)]))


def _new(name: str) -> list[InboundMessage]:
    return [_shown(f"{name}-{n}", ("email", f"{name}-{n}@new.example", "verified")) for n in range(SIZE)]


def _linking(n: int, step: int) -> InboundMessage:
    mail, chat = ("email", f"both{n}@x.example", "verified"), ("telegram_user", f"both{n}", "channel")
    return _shown(f"both{n}-{step}", *(([mail], [chat], [mail, chat])[step]))


def _shown(name: str, *handles: tuple[Any, str, Any]) -> InboundMessage:
    sender = Sender(
        handles=tuple(Handle(kind=kind, value=value, proof=proof) for kind, value, proof in handles),
        display_name="First1 Last2",
    )
    return message(name, sender=sender)
