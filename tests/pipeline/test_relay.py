"""The relay: every committed row reaches its topic, in order per ticket, whatever dies in between."""

from __future__ import annotations

import asyncio
import os
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from contracts.errors import Transient
from contracts.ids import ticket_event_id, ticket_id, workspace_id
from contracts.topics import CUSTOMER, OUTBOUND, TICKET, Topic
from runtime.clock import Clock
from runtime.failpoints import EXIT_CODE
from runtime.kafka import Offsets, Producer, end_offsets, read_range
from runtime.settings import Settings, environment
from runtime.stage import Record
from sinks.postgres.outbox import SHARDS, Outbox, relay_session, shard_of
from sinks.relay import Relay
from tests.support.system import Broker, Dsns, eventually

WORKSPACE = workspace_id("relay")
PROCESS = """
from runtime.clock import Clock
from runtime.kafka import Producer
from runtime.process import run_process
from runtime.settings import load
from sinks.relay import Relay

settings = load()
run_process("relay", settings, [Relay(settings.postgres_system, Producer(settings.kafka), Clock())])
"""
AT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def tickets(count: int) -> list[UUID]:
    return [ticket_id(WORKSPACE, UUID(int=number)) for number in range(count)]


def write(database: Dsns, ids: Sequence[UUID], versions: range, kind: str = "ticket") -> None:
    """Commits these versions of these aggregates, as the router does, and says so."""
    rows = [
        (
            ticket_event_id(aggregate, version),
            kind,
            aggregate,
            "created" if version == 1 else "assigned",
            f'{{"version":{version},"ticket_id":"{aggregate}"}}'.encode(),
            WORKSPACE,
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            shard_of(aggregate),
            AT + timedelta(seconds=version),
        )
        for version in versions
        for aggregate in ids
    ]
    with psycopg.connect(database.system) as connection:
        connection.cursor().executemany(
            "INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, workspace, traceparent, shard, created_at)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            rows,
        )
        connection.execute("NOTIFY outbox")


def left(database: Dsns) -> int:
    with psycopg.connect(database.system) as connection:
        row = connection.execute("SELECT count(*) FROM outbox").fetchone()
    assert row is not None
    return int(row[0])


@asynccontextmanager
async def relaying(broker: Broker, database: Dsns) -> AsyncIterator[None]:
    relay = Relay(database.system, Producer(broker.bootstrap), Clock())
    task = asyncio.create_task(relay.run())
    try:
        yield
    finally:
        await relay.stop()
        await task


async def published_since(broker: Broker, topic: Topic, start: Offsets) -> list[Record]:
    ends = await end_offsets(broker.bootstrap, [topic])
    return [
        record
        for (name, partition), end in sorted(ends.items())
        async for record in read_range(broker.bootstrap, name, partition, start[name, partition], end)
    ]


def by_ticket(records: Sequence[Record]) -> dict[bytes, list[str]]:
    found: dict[bytes, list[str]] = defaultdict(list)
    for record in records:
        assert record.key is not None
        found[record.key].append(dict(record.headers)["ce_id"].decode())
    return found


def ids_of(aggregate: UUID, versions: range) -> list[str]:
    return [str(ticket_event_id(aggregate, version)) for version in versions]


async def test_publishes_in_order_per_ticket_and_forgets(broker: Broker, database: Dsns) -> None:
    start = await end_offsets(broker.bootstrap, [TICKET])
    some = tickets(60)
    write(database, some, range(1, 11))
    async with relaying(broker, database):
        await eventually(lambda: left(database) == 0)
        write(database, some, range(11, 15))
        await eventually(lambda: left(database) == 0)
    found = by_ticket(await published_since(broker, TICKET, start))
    assert found == {str(ticket).encode(): ids_of(ticket, range(1, 15)) for ticket in some}


async def test_a_record_is_a_cloud_event_on_the_topic_of_its_aggregate(
    broker: Broker, database: Dsns
) -> None:
    topics = {"ticket": TICKET, "customer": CUSTOMER, "outbound": OUTBOUND}
    start = await end_offsets(broker.bootstrap, list(topics.values()))
    (one,) = tickets(1)
    for kind in topics:
        write(database, [one], range(1, 2), kind)
    async with relaying(broker, database):
        await eventually(lambda: left(database) == 0)
    for kind, topic in topics.items():
        (record,) = await published_since(broker, topic, start)
        assert (record.key, record.value) == (
            str(one).encode(),
            f'{{"version":1,"ticket_id":"{one}"}}'.encode(),
        )
        assert dict(record.headers) == {
            "ce_specversion": b"1.0",
            "ce_id": str(ticket_event_id(one, 1)).encode(),
            "ce_type": f"org.frontdesk.{kind}.created.v1".encode(),
            "ce_source": f"/frontdesk/workspaces/{WORKSPACE}".encode(),
            "ce_subject": str(one).encode(),
            "ce_time": b"2026-03-01T12:00:01.123456Z",
            "content-type": b"application/json",
            "traceparent": b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        }


async def test_death_between_produce_and_delete_repeats_the_same_bytes(
    broker: Broker, database: Dsns, settings: Settings
) -> None:
    start = await end_offsets(broker.bootstrap, [TICKET])
    some = tickets(20)
    write(database, some, range(1, 6))
    armed = environment(settings) | {"FRONTDESK_FAILPOINT": "relay.after_produce"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROCESS, env=inherited | armed, stdout=asyncio.subprocess.DEVNULL
    )
    assert await asyncio.wait_for(process.wait(), 60) == EXIT_CODE
    assert left(database) == 100
    async with relaying(broker, database):
        await eventually(lambda: left(database) == 0)
    records = await published_since(broker, TICKET, start)
    versions = range(1, 6)
    for ticket in some:
        own = [record for record in records if record.key == str(ticket).encode()]
        assert by_ticket(own)[str(ticket).encode()] == ids_of(ticket, versions) * 2
        bodies = [(record.value, record.headers) for record in own]
        assert bodies[:5] == bodies[5:]


async def test_relays_share_the_shards_and_take_those_of_a_dead_one(database: Dsns) -> None:
    async with relay_session(database.system) as first:
        await first.balance()
        assert first.shards == list(range(SHARDS))
        with pytest.raises(Transient):
            await _share_until_killed(database, first)
        await _balanced([first])


async def _share_until_killed(database: Dsns, first: Outbox) -> None:
    async with relay_session(database.system) as second:
        await _balanced([first, second])
        assert sorted(first.shards + second.shards) == list(range(SHARDS))
        async with relay_session(database.system) as third:
            await _balanced([first, second, third])
        _terminate_holder(database, second.shards[0])
        await second.unpublished()


async def _balanced(relays: Sequence[Outbox]) -> None:
    """Until the shares are equal, one more or less, and everything is held."""
    shares = {SHARDS // len(relays), -(-SHARDS // len(relays))}
    async with asyncio.timeout(30):
        while True:
            for relay in relays:
                await relay.balance()
            held = [len(relay.shards) for relay in relays]
            if sum(held) == SHARDS and set(held) <= shares:
                return
            await asyncio.sleep(0.05)


def _terminate_holder(database: Dsns, shard: int) -> None:
    with psycopg.connect(database.owner) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
            " WHERE d.datname = current_database() AND l.locktype = 'advisory' AND l.objsubid = 2 AND l.objid = %s",
            (shard,),
        )


@pytest.fixture
def settings(broker: Broker, database: Dsns) -> Settings:
    return Settings(kafka=broker.bootstrap, postgres=database.app, postgres_system=database.system)
