"""Dead letters: stored once under the position that counts, and back into the pipeline by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from contracts.base import encode
from contracts.customer import CustomerEvent
from contracts.deadletter import DeadLetter
from contracts.errors import Refused
from contracts.ids import dead_letter_id, parked_id, workspace_id
from contracts.resolved import CustomerLink, Position, ResolvedMessage
from contracts.topics import DEAD_LETTERS, INBOUND, RESOLVED
from runtime.kafka import Producer, end_offsets, read_range
from runtime.postgres import Database
from runtime.stage import Batch, Delivery, Done, Record
from sinks.deadletters import DeadLetters, Feeder, ParkedLetter
from tests.support.system import Broker, Dsns

WORKSPACE = workspace_id("letters")
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
INBOUND_AT = Position(topic=INBOUND.name, partition=2, offset=17)
RESOLVED_AT = Position(topic=RESOLVED.name, partition=1, offset=5)
BODY = b'{"message_id":"m","text":"hello"}'


@pytest.fixture
async def system(database: Dsns) -> AsyncIterator[Database]:
    async with Database(database.system) as system:
        yield system


def delivered(letter: DeadLetter, offset: int = 0) -> Delivery[DeadLetter]:
    topic = DEAD_LETTERS[letter.stage].name
    return Delivery(Record(topic, 0, offset, letter.key, encode(letter)), letter)


def rejected(stage: Any = "identity", **changes: Any) -> DeadLetter:
    at = {"identity": INBOUND_AT, "router": RESOLVED_AT}.get(stage, RESOLVED_AT)
    fields = {
        "dead_letter_id": dead_letter_id(stage, at.topic, at.partition, at.offset),
        "stage": stage,
        "reason": "undecodable",
        "raw": BODY,
        "occurred_at": AT,
        "position": at,
        "source": INBOUND_AT,
        "workspace": WORKSPACE,
        "key": b"the key",
        "headers": {"traceparent": "00-1-1-01"},
    }
    return DeadLetter(**(fields | changes))


def parked(raw: bytes = b"not a form") -> DeadLetter:
    identity = parked_id(WORKSPACE, "webform", "contact", raw)
    return rejected("ingest", dead_letter_id=identity, raw=raw, position=None, source=None)


async def feed(system: Database, *deliveries: Delivery[DeadLetter]) -> None:
    assert await Feeder(system).run(Batch(deliveries)) == [Done() for _ in deliveries]


async def positions(system: Database, table: str) -> list[tuple[str, int, int]]:
    query = f'SELECT topic, partition, "offset" FROM {table} ORDER BY 1, 2, 3'
    return [(row[0], row[1], row[2]) for row in await system.fetch([], query)]


async def test_a_letter_counts_at_its_inbound_record_and_the_doors_at_itself(system: Database) -> None:
    await feed(system, delivered(rejected("router"), 3), delivered(parked(), 8))
    assert await positions(system, "dead_letters") == [
        (INBOUND.name, 2, 17),
        (DEAD_LETTERS["ingest"].name, 0, 8),
    ]
    letter = await DeadLetters(system).show(rejected("router").dead_letter_id)
    assert (letter.failed_topic, letter.failed_partition, letter.failed_offset) == (RESOLVED.name, 1, 5)
    assert (letter.raw, letter.key, letter.state, letter.disposition) == (
        BODY,
        b"the key",
        "waiting",
        "parked",
    )


async def test_the_same_record_again_changes_nothing(system: Database) -> None:
    batch = (delivered(rejected(), 3), delivered(parked(), 8))
    await feed(system, *batch)
    await feed(system, *batch)
    assert len(await positions(system, "dead_letters")) == 2
    assert await positions(system, "duplicates") == []


async def test_equal_bytes_at_the_door_are_one_letter_and_a_duplicate(system: Database) -> None:
    await feed(system, delivered(parked(), 8), delivered(parked(), 9))
    await feed(system, delivered(parked(), 10))
    assert await positions(system, "dead_letters") == [(DEAD_LETTERS["ingest"].name, 0, 8)]
    assert await positions(system, "duplicates") == [(DEAD_LETTERS["ingest"].name, 0, n) for n in (9, 10)]


async def test_what_postgres_cannot_hold_is_stored_all_the_same(system: Database) -> None:
    letter = rejected(detail="odd \0 byte", headers={"x": "\0"}, workspace=None)
    await feed(system, delivered(letter))
    assert (await DeadLetters(system).show(letter.dead_letter_id)).detail == "odd \ufffd byte"


async def test_find_filters_and_leaves_the_bytes_out(system: Database) -> None:
    await feed(system, delivered(rejected(), 3), delivered(parked(), 8))
    letters = DeadLetters(system)
    assert [letter.stage for letter in await letters.find(stage="identity")] == ["identity"]
    assert await letters.find(workspace=UUID(int=1)) == []
    assert {letter.raw for letter in await letters.find()} == {b""}
    with pytest.raises(Refused):
        await letters.show(UUID(int=1))


async def test_a_drop_counts_as_suppressed_also_in_closed_books(system: Database) -> None:
    await feed(system, delivered(rejected()))
    async with system.transaction() as connection:
        await connection.execute("INSERT INTO checkpoints VALUES (%s, 2, 18, 17, 0, 1, 0)", (INBOUND.name,))
    letters = DeadLetters(system)
    await letters.drop(rejected().dead_letter_id, "agent:ana")
    dropped = await letters.show(rejected().dead_letter_id)
    assert (dropped.state, dropped.actor) == ("dropped", "agent:ana")
    assert await system.fetch([], "SELECT parked, suppressed FROM checkpoints") == [(0, 1)]
    with pytest.raises(Refused):
        await letters.drop(rejected().dead_letter_id, "agent:ana")


@pytest.mark.parametrize("stage", ["identity", "router"])
async def test_a_retry_sends_the_inbound_bytes_once_more(
    stage: str, system: Database, broker: Broker
) -> None:
    resolved = ResolvedMessage(
        workspace=WORKSPACE,
        message_id=UUID(int=7),
        position=INBOUND_AT,
        inbound=msgspec.Raw(BODY),
        customer=CustomerLink(id=UUID(int=8)),
    )
    letter = rejected(stage, raw=BODY if stage == "identity" else encode(resolved))
    await feed(system, delivered(letter))
    start = await end_offsets(broker.bootstrap, [INBOUND])
    letters, producer = DeadLetters(system), Producer(broker.bootstrap)
    await letters.retry(letter.dead_letter_id, "agent:ana", producer, _no_intake)
    with pytest.raises(Refused, match="retried by agent:ana"):
        await letters.retry(letter.dead_letter_id, "agent:ben", producer, _no_intake)
    await producer.stop()
    ends = await end_offsets(broker.bootstrap, [INBOUND])
    found = [
        record
        for (topic, partition), end in ends.items()
        async for record in read_range(broker.bootstrap, topic, partition, start[topic, partition], end)
    ]
    assert [(r.key, r.value, dict(r.headers)) for r in found] == [
        (b"the key", BODY, {"traceparent": b"00-1-1-01"})
    ]


async def test_a_retry_of_the_doors_letter_goes_through_the_door(system: Database, broker: Broker) -> None:
    await feed(system, delivered(parked()))
    taken: list[ParkedLetter] = []

    async def intake(letter: ParkedLetter) -> None:
        taken.append(letter)

    letters = DeadLetters(system)
    await letters.retry(parked().dead_letter_id, "agent:ana", Producer(broker.bootstrap), intake)
    assert [letter.raw for letter in taken] == [b"not a form"]
    assert (await letters.show(parked().dead_letter_id)).state == "retried"


async def test_a_router_letter_without_an_inbound_record_is_refused(system: Database, broker: Broker) -> None:
    event = CustomerEvent(
        event_id=UUID(int=1),
        workspace=WORKSPACE,
        customer=UUID(int=2),
        version=1,
        change="erased",
        occurred_at=AT,
    )
    letter = rejected("router", raw=encode(event))
    await feed(system, delivered(letter))
    letters = DeadLetters(system)
    with pytest.raises(Refused, match="not_retryable"):
        await letters.retry(letter.dead_letter_id, "agent:ana", Producer(broker.bootstrap), _no_intake)
    assert (await letters.show(letter.dead_letter_id)).state == "waiting"


async def test_resume_closes_a_fuse(system: Database) -> None:
    async with system.transaction() as connection:
        await connection.execute("INSERT INTO fuses VALUES ('router', %s, 1, 'run', %s)", (RESOLVED.name, AT))
    letters = DeadLetters(system)
    assert await letters.resume("router", RESOLVED.name, 1)
    assert not await letters.resume("router", RESOLVED.name, 1)


async def _no_intake(letter: ParkedLetter) -> None:
    raise AssertionError("not the door's letter")
