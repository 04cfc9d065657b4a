"""Producing and reading, on a real broker and on one that stops answering."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError
from prometheus_client import REGISTRY

from contracts.errors import Poison, Transient
from contracts.inbound import InboundMessage
from contracts.topics import MAX_RECORD_BYTES, Topic
from frontdesk.embedded import EmbeddedKafka
from runtime.kafka import Outgoing, Producer, end_offsets, ensure_topics, read_range

_numbers = count(1)


@pytest.fixture
async def topic(kafka: EmbeddedKafka) -> Topic:
    name = f"producing-{os.getpid()}-{next(_numbers)}"
    topic = Topic(name, InboundMessage, "none", 1, "tests", "tests", partitions=1)
    await ensure_topics(kafka.bootstrap, [topic], replication=1, min_insync=1)
    return topic


@pytest.fixture
async def producer(kafka: EmbeddedKafka) -> AsyncIterator[Producer]:
    producer = Producer(kafka.bootstrap)
    yield producer
    await producer.stop()


@pytest.fixture
def own_kafka(tmp_path: Path) -> Iterator[EmbeddedKafka]:
    """A broker that a test may stop."""
    broker = EmbeddedKafka(tmp_path)
    broker.start()
    try:
        yield broker
    finally:
        broker.kill()


def restarts(reason: str) -> float:
    return REGISTRY.get_sample_value("frontdesk_producer_restarts_total", {"reason": reason}) or 0.0


async def values(kafka: EmbeddedKafka, topic: Topic) -> list[bytes | None]:
    end = (await end_offsets(kafka.bootstrap, [topic]))[(topic.name, 0)]
    return [record.value async for record in read_range(kafka.bootstrap, topic.name, 0, 0, end)]


async def test_all_are_there_in_order_when_it_returns(
    kafka: EmbeddedKafka, topic: Topic, producer: Producer
) -> None:
    sent = [Outgoing(topic.name, b"k", b"%d" % n, (("h", b"v"),)) for n in range(1000)]
    await producer.send_all(sent)
    assert await values(kafka, topic) == [out.value for out in sent]


async def test_one_that_is_too_large_keeps_all_from_being_sent(
    kafka: EmbeddedKafka, topic: Topic, producer: Producer
) -> None:
    small, large = Outgoing(topic.name, b"k", b"v"), Outgoing(topic.name, b"k", b"v" * MAX_RECORD_BYTES)
    with pytest.raises(Poison, match="too_large"):
        await producer.send_all([small, large])
    assert await values(kafka, topic) == []


async def test_a_producer_whose_sender_died_is_made_anew(
    kafka: EmbeddedKafka, topic: Topic, producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever kills aiokafka's sender leaves it failing for ever (aiokafka #1017 is one such cause)."""
    await producer.send_all([Outgoing(topic.name, b"k", b"before")])
    sender = producer._producer._sender  # type: ignore[union-attr]
    before = restarts("KafkaError")

    def die(*_: object, **__: object) -> None:
        raise KafkaError

    monkeypatch.setattr(sender._message_accumulator, "drain_by_nodes", die)
    with pytest.raises(Transient):
        await producer.send_all([Outgoing(topic.name, b"k", b"lost")])
    await producer.send_all([Outgoing(topic.name, b"k", b"after")])
    assert await values(kafka, topic) == [b"before", b"after"]
    assert restarts("KafkaError") == before + 1


async def test_nothing_follows_late_after_a_call_that_failed(own_kafka: EmbeddedKafka) -> None:
    """A frozen broker that wakes up must not get what we said was not sent, behind newer records."""
    topic = Topic("late", InboundMessage, "none", 1, "tests", "tests", partitions=1)
    await ensure_topics(own_kafka.bootstrap, [topic], replication=1, min_insync=1)
    producer = Producer(own_kafka.bootstrap, timeout=2)
    await producer.send_all([Outgoing(topic.name, b"k", b"before")])
    await asyncio.to_thread(own_kafka.stop)
    with pytest.raises(Transient):
        await producer.send_all([Outgoing(topic.name, b"k", b"given up")])
    await asyncio.to_thread(own_kafka.start)
    await _insist(producer, Outgoing(topic.name, b"k", b"after"))
    assert await values(own_kafka, topic) == [b"before", b"after"]
    await producer.stop()


async def test_no_call_waits_longer_than_its_time(unused_tcp_port_silent: int) -> None:
    """Callers that queue for one connection wait together, not one after the other."""
    producer = Producer(f"127.0.0.1:{unused_tcp_port_silent}", timeout=1)
    calls = (producer.send_all([Outgoing("t", b"k", b"v")]) for _ in range(10))
    async with asyncio.timeout(5):
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, Transient) for result in results), results
    await producer.stop()


@pytest.fixture
async def unused_tcp_port_silent() -> AsyncIterator[int]:
    """A port that accepts connections and never answers."""
    held: list[asyncio.StreamWriter] = []

    async def hold(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        held.append(writer)

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    for writer in held:
        writer.close()
    server.close()


async def _insist(producer: Producer, record: Outgoing) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await producer.send_all([record])
            except Transient:
                await asyncio.sleep(0.2)
            else:
                return
