"""Reading the whole inbound topic again adds nothing; rebuilding from it gives the same grouping and decisions."""

from __future__ import annotations

import asyncio
import heapq
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError

from contracts.base import decoder
from contracts.inbound import InboundMessage
from contracts.topics import INBOUND, RESOLVED
from frontdesk.processes import Parts
from identity.worker import Identity
from router.worker import Router
from runtime.hosts.memory import MemoryHost, MemoryProducer
from runtime.kafka import end_offsets, read_range
from runtime.stage import Record
from sinks.postgres.config_store import ConfigStore
from tests.faults import oracle
from tests.faults.load import Load
from tests.support.chain import Chain, wait_for

COUNT = 600
_WRITTEN = (
    "customers",
    "handles",
    "identity_events",
    "tickets",
    "messages",
    "decisions",
    "audit",
    "outbox",
    "duplicates",
)
_inbound = decoder(InboundMessage)


def test_replaying_the_topic_adds_nothing(tmp_path: Path) -> None:
    with Chain(tmp_path) as chain:
        _load(chain)
        before = _counts(chain)
        assert chain.stop("identity") == 0
        # A static member stays in the group until its session has ended: only then may somebody else commit.
        wait_for(lambda: asyncio.run(_rewound(chain, "identity")), 30, "the group lets its offsets be set")
        read = sum(asyncio.run(end_offsets(chain.settings.kafka, [RESOLVED])).values())
        chain.start("identity")
        again = sum(asyncio.run(end_offsets(chain.settings.kafka, [INBOUND])).values())

        def passed_on() -> bool:
            ends = asyncio.run(end_offsets(chain.settings.kafka, [RESOLVED]))
            return sum(ends.values()) >= read + again - _bad(chain)

        wait_for(passed_on, 60, "identity passes everything on again")
        oracle.check(chain, Load(chain, None, 3, 0, 1).ledger, at_least=True)
        assert _counts(chain) == before


def test_rebuilding_gives_the_same_customers_tickets_and_decisions(tmp_path: Path) -> None:
    with Chain(tmp_path) as chain:
        _load(chain)
        before = _picture(chain)
        for name in ("identity", "router", "relay"):
            assert chain.stop(name) == 0
        _drop(chain)
        asyncio.run(_rebuild(chain))
        assert _picture(chain) == before


def _load(chain: Chain) -> None:
    load = Load(chain, None, 3, COUNT, per_second=150)
    load.start()
    load.join()
    assert load.failure is None, load.failure
    oracle.check(chain, load.ledger)


def _bad(chain: Chain) -> int:
    return int(chain.scalar("SELECT count(*) FROM dead_letters WHERE stage = 'identity'"))


def _counts(chain: Chain) -> dict[str, int]:
    return {table: chain.scalar(f"SELECT count(*) FROM {table}") for table in _WRITTEN}


async def _rewound(chain: Chain, group: str) -> bool:
    """Lets the group begin again, as an operator would with the broker's own tools."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=chain.settings.kafka, group_id=group, enable_auto_commit=False
    )
    await consumer.start()
    try:
        places = [TopicPartition(INBOUND.name, partition) for partition in range(chain.settings.partitions)]
        consumer.assign(places)
        await consumer.commit(dict.fromkeys(places, 0))
    except CommitFailedError:
        return False
    finally:
        await consumer.stop()
    return True


def _picture(chain: Chain) -> list[tuple[Any, ...]]:
    """Who and where each message is, and what was decided: without numbers and agents, which are facts."""
    return chain.rows(
        "SELECT m.message_id, m.customer_id, m.ticket_id, t.department, t.category, t.priority, t.due_at "
        "FROM messages m JOIN tickets t ON t.workspace = m.workspace AND t.ticket_id = m.ticket_id ORDER BY 1"
    )


def _drop(chain: Chain) -> None:
    import psycopg

    emptied = (*_WRITTEN, "ticket_refs", "ticket_participants", "rotations", "checkpoints")
    with psycopg.connect(chain.settings.postgres_owner) as connection:
        connection.execute(f"TRUNCATE {', '.join(emptied)}")


async def _rebuild(chain: Chain) -> None:
    """Both stages over all records, in the order in which they were received."""
    records = await _inbound_records(chain.settings.kafka)
    parts = Parts(chain.settings)
    producer = MemoryProducer()
    identity = Identity(parts.database, producer, parts.workspaces)
    await MemoryHost(identity, records, producer=producer).run()
    resolved = [
        Record(RESOLVED.name, 0, offset, out.key, out.value, out.headers)
        for offset, out in enumerate(out for out in producer.sent if out.topic == RESOLVED.name)
    ]
    parts = Parts(chain.settings)
    router = Router(parts.database, ConfigStore(parts.database), parts.workspaces, parts.clock)
    await MemoryHost(router, resolved).run()


async def _inbound_records(bootstrap: str) -> list[Record]:
    """The partitions merged by (received_at, message_id), each in its own order: a copy that was received a moment
    before the one it doubles may stand behind it."""
    partitions = [
        [
            (message.received_at, message.message_id, record)
            async for record in read_range(bootstrap, topic, partition, 0, end)
            if (message := _read(record)) is not None
        ]
        for (topic, partition), end in (await end_offsets(bootstrap, [INBOUND])).items()
    ]
    return [record for *_, record in heapq.merge(*partitions, key=lambda entry: entry[:2])]


def _read(record: Record) -> InboundMessage | None:
    try:
        return _inbound.decode(record.value or b"")
    except ValueError:
        return None
