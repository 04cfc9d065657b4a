"""The equation: every accepted record has one terminal row or is on its way; anything else is found and named."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.base import encode
from contracts.deadletter import DeadLetter
from contracts.ids import workspace_id
from contracts.resolved import CustomerLink, Position, ResolvedMessage
from contracts.topics import DEAD_LETTERS, INBOUND, OVERFLOW, RESOLVED, Topic
from runtime.kafka import Offsets, Outgoing, Producer, end_offsets
from runtime.postgres import Database
from runtime.settings import Settings
from sinks import verify as verification
from sinks.verify import Ledger, verify
from tests.support.system import Broker, Dsns, open_books

WORKSPACE = workspace_id("verify")
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
LETTERS = list(DEAD_LETTERS.values())


class System:
    """The topics and tables between the door and the terminal row, moved by hand, one step at a time."""

    def __init__(self, broker: Broker, database: Database, start: Offsets) -> None:
        self.bootstrap = broker.bootstrap
        self.database = database
        self.producer = Producer(broker.bootstrap)
        self.start = start

    async def accept(self, count: int, topic: Topic = INBOUND) -> list[Position]:
        """Produces records and returns their positions."""
        before = await end_offsets(self.bootstrap, [topic])
        await self.producer.send_all([Outgoing(topic.name, str(n).encode(), b"{}") for n in range(count)])
        after = await end_offsets(self.bootstrap, [topic])
        return [
            Position(topic=name, partition=partition, offset=offset)
            for (name, partition), end in sorted(after.items())
            for offset in range(before[name, partition], end)
        ]

    async def commit(self, group: str, *topics: Topic) -> None:
        """The group has read these topics to their ends."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, group_id=group, enable_auto_commit=False
        )
        await consumer.start()
        try:
            ends = await end_offsets(self.bootstrap, topics)
            consumer.assign([TopicPartition(*place) for place in ends])
            await consumer.commit({TopicPartition(*place): offset for place, offset in ends.items()})
        finally:
            await consumer.stop()

    async def resolve(self, positions: Sequence[Position]) -> None:
        """Identity passes them on and commits."""
        await self.producer.send_all([Outgoing(RESOLVED.name, b"c", _resolved(at)) for at in positions])
        await self.commit("identity", INBOUND, OVERFLOW)

    async def reject(self, positions: Sequence[Position]) -> None:
        """Identity parks them and commits."""
        topic = DEAD_LETTERS["identity"].name
        await self.producer.send_all([Outgoing(topic, b"k", _letter(at)) for at in positions])
        await self.commit("identity", INBOUND, OVERFLOW)

    async def store(self, positions: Sequence[Position]) -> None:
        await self._insert(
            'INSERT INTO messages (topic, partition, "offset", workspace, message_id, customer_id, channel, account,'
            " provider_id, kind, direction, happened_at, received_at, payload)"
            " VALUES (%s, %s, %s, %s, %s, %s, 'email', 'a', 'p', 'message', 'in', now(), now(), '{}')",
            [(*_place(at), WORKSPACE, uuid4(), uuid4()) for at in positions],
        )

    async def duplicate(self, positions: Sequence[Position]) -> None:
        await self._insert(
            "INSERT INTO duplicates VALUES (%s, %s, %s, %s, now())",
            [(*_place(at), uuid4()) for at in positions],
        )

    async def park(
        self, positions: Sequence[Position], disposition: str = "parked", state: str = "waiting"
    ) -> None:
        await self._insert(
            'INSERT INTO dead_letters (topic, partition, "offset", dead_letter_id, stage, reason, detail,'
            " disposition, state, raw, headers, occurred_at)"
            " VALUES (%s, %s, %s, %s, 'identity', 'r', '', %s, %s, '', '{}', now())",
            [(*_place(at), uuid4(), disposition, state) for at in positions],
        )

    async def _insert(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        async with self.database.transaction() as connection, connection.cursor() as cursor:
            await cursor.executemany(statement.encode(), rows)

    async def ledger(self, spooled: int = 0) -> Ledger:
        settings = Settings(kafka=self.bootstrap, data=Path("unused"))
        return await verify(settings, self.database, lambda: spooled)

    async def counted(self, spooled: int = 0) -> dict[str, int]:
        """What is not 0, `accepted` without what was there before."""
        ledger = await self.ledger(spooled)
        counts = {
            name: value for name, value in msgspec.to_builtins(ledger).items() if isinstance(value, int)
        }
        counts["accepted"] -= sum(self.start.values())
        assert counts["accepted"] == sum(
            counts[name] for name in ("stored", "duplicates", "parked", "suppressed", "pending", "spooled")
        ) + len(ledger.missing)
        return {name: value for name, value in counts.items() if value}


def _resolved(at: Position) -> bytes:
    customer = CustomerLink(id=UUID(int=1))
    return encode(
        ResolvedMessage(
            workspace=WORKSPACE,
            message_id=UUID(int=2),
            position=at,
            inbound=msgspec.Raw(b"{}"),
            customer=customer,
        )
    )


def _letter(at: Position) -> bytes:
    letter: dict[str, Any] = {"dead_letter_id": uuid4(), "stage": "identity", "reason": "r", "raw": b"{}"}
    return encode(DeadLetter(**letter, occurred_at=AT, position=at, source=at))


def _place(at: Position) -> tuple[str, int, int]:
    return at.topic, at.partition, at.offset


@pytest.fixture
async def system(broker: Broker, database: Dsns) -> AsyncIterator[System]:
    """Everything read and committed, and the books open from here."""
    async with Database(database.system) as pool:
        system = System(broker, pool, await open_books(broker.bootstrap, database))
        await system.commit("identity", INBOUND, OVERFLOW)
        await system.commit("router", RESOLVED)
        await system.commit("sinks", *LETTERS)
        yield system
        await system.producer.stop()


async def test_every_kind_of_terminal_row_counts_once(system: System) -> None:
    positions = [*await system.accept(9), *await system.accept(3, OVERFLOW)]
    letters = await system.accept(2, DEAD_LETTERS["ingest"])
    await system.store(positions[:6])
    await system.duplicate(positions[6:8])
    await system.park([*positions[8:9], *letters])
    await system.park(positions[9:10], disposition="suppressed")
    await system.park(positions[10:], state="dropped")
    await system.commit("identity", INBOUND, OVERFLOW)
    await system.commit("sinks", *LETTERS)
    expected = {"accepted": 14, "stored": 6, "duplicates": 2, "parked": 3, "suppressed": 3}
    assert await system.counted() == expected
    assert await system.counted() == expected, "the same with the books closed"


async def test_a_removed_row_is_the_residual_and_is_named(system: System) -> None:
    positions = await system.accept(20)
    lost = positions[11]
    await system.store([at for at in positions if at != lost])
    await system.commit("identity", INBOUND, OVERFLOW)
    assert await system.counted() == {"accepted": 20, "stored": 19, "residual": 1}
    assert (await system.ledger()).missing == (lost,)
    await system.store([lost])
    assert await system.counted() == {"accepted": 20, "stored": 20}


async def test_two_rows_for_one_record_are_the_residual(system: System) -> None:
    positions = await system.accept(5)
    await system.store(positions)
    await system.duplicate(positions[3:4])
    await system.commit("identity", INBOUND, OVERFLOW)
    ledger = await system.ledger()
    assert (ledger.residual, ledger.missing) == (1, (positions[3],))


async def test_what_is_on_its_way_is_pending_until_its_reader_has_committed(system: System) -> None:
    positions = await system.accept(10)
    assert await system.counted() == {"accepted": 10, "pending": 10}, "identity has not read them"
    await system.resolve(positions[:8])
    await system.reject(positions[8:])
    assert await system.counted() == {"accepted": 10, "pending": 10}, "router and feeder have not"
    await system.store(positions[:8])
    assert await system.counted() == {"accepted": 10, "stored": 8, "pending": 2}, "a row is terminal at once"
    await system.commit("router", RESOLVED)
    await system.commit("sinks", *LETTERS)
    assert await system.counted() == {"accepted": 10, "stored": 8, "residual": 2}, "the feeder has lost two"
    await system.park(positions[8:])
    assert await system.counted() == {"accepted": 10, "stored": 8, "parked": 2}


async def test_letters_of_the_door_are_pending_until_they_are_fed(system: System) -> None:
    await system.accept(4, DEAD_LETTERS["ingest"])
    assert await system.counted(spooled=3) == {"accepted": 7, "pending": 4, "spooled": 3}
    await system.commit("sinks", *LETTERS)
    assert await system.counted() == {"accepted": 4, "residual": 4}


async def test_rows_below_a_checkpoint_may_be_deleted(system: System) -> None:
    await system.store(await system.accept(30))
    await system.commit("identity", INBOUND, OVERFLOW)
    assert await system.counted() == {"accepted": 30, "stored": 30}
    async with system.database.transaction() as connection:
        await connection.execute("DELETE FROM messages")
    assert await system.counted() == {"accepted": 30, "stored": 30}


async def test_windows_do_not_change_the_count(system: System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "_WINDOW", 7)
    positions = await system.accept(100)
    await system.store([at for number, at in enumerate(positions) if number not in (40, 41, 99)])
    await system.commit("identity", INBOUND, OVERFLOW)
    assert await system.counted() == {"accepted": 100, "stored": 97, "residual": 3}
    await system.store([positions[number] for number in (40, 41, 99)])
    assert await system.counted() == {"accepted": 100, "stored": 100}


async def test_a_topic_that_lost_acknowledged_records_is_the_residual(system: System) -> None:
    async with system.database.transaction() as connection:
        await connection.execute(
            'UPDATE checkpoints SET "offset" = "offset" + 2, stored = stored + 2 WHERE topic = %s AND partition = 0',
            (INBOUND.name,),
        )
    assert (await system.ledger()).residual == 2
