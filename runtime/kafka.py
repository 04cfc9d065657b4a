"""Kafka, apart from the hosts' consumers: producing, topics, offsets, reading a range. The only importer of aiokafka
beside `runtime/hosts`."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, ProducerClosed, TopicAlreadyExistsError
from aiokafka.structs import RecordMetadata

from contracts.errors import Poison, Transient
from contracts.topics import BY_NAME, MAX_RECORD_BYTES, TOPICS, Topic
from runtime import metrics
from runtime.stage import Record

_MAX_REQUEST_BYTES = max(topic.max_bytes for topic in TOPICS)

# Of a batch of one record: its 61 bytes, and the lengths, offsets and time of the record.
_OVERHEAD_BYTES = 100

_LEAVE_SECONDS = 3
_STALLED_SECONDS = 30

Offsets = dict[tuple[str, int], int]
"""(topic, partition) -> offset."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be produced."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class Place(NamedTuple):
    """Where a record was written."""

    partition: int
    offset: int


class Producer:
    """Idempotent, acks=all. `send_all` returns when every record is acknowledged, or raises `Transient`; a repeated call
    may write a record twice, which readers drop by its id."""

    def __init__(self, bootstrap: str, timeout: float = 15.0) -> None:
        self._bootstrap = bootstrap
        self._timeout = timeout
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Connects if the broker is there; otherwise the first `send_all` does."""
        with contextlib.suppress(KafkaError, OSError, TimeoutError):
            async with asyncio.timeout(self._timeout):
                await self._connected()

    async def stop(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await producer.flush()
            await _abort(producer)

    async def send_all(self, records: Sequence[Outgoing]) -> list[Place]:
        """All of them, acknowledged, within `timeout` seconds; and where each is. Raises `Poison` before anything is sent if one is too
        large."""
        for record in records:
            if (size := _size(record)) > _most_bytes(record.topic):
                raise Poison("too_large", f"{size} bytes for {record.topic}")
        if not records:
            return []
        outcome = "failed"
        try:
            async with asyncio.timeout(self._timeout):
                producer = await self._connected()
                places = await self._deliver(producer, records)
            outcome = "acknowledged"
            return places
        except (KafkaError, OSError, TimeoutError) as error:
            raise Transient(f"kafka: {type(error).__name__}") from error
        finally:
            for topic, count in Counter(record.topic for record in records).items():
                metrics.produce.labels(topic, outcome).inc(count)

    async def _deliver(self, producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> list[Place]:
        """Whatever fails here, the producer goes with it.

        aiokafka repeats what can be repeated: an error that arrives has broken the idempotent sequence (#1017) or killed
        its sender. After a cancellation, what is queued must not follow later, behind newer records of the same key.
        """
        waits: list[asyncio.Future[RecordMetadata]] = []
        try:
            for r in records:
                waits.append(await producer.send(r.topic, value=r.value, key=r.key, headers=list(r.headers)))
            return [Place(written.partition, written.offset) for written in await asyncio.gather(*waits)]
        except (KafkaError, asyncio.CancelledError) as error:
            for wait in waits:
                wait.cancel()
            if self._producer is producer:
                self._producer = None
                cancelled = isinstance(error, asyncio.CancelledError)
                metrics.producer_restarts.labels("timeout" if cancelled else type(error).__name__).inc()
            await asyncio.shield(_abort(producer))
            raise

    async def _connected(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    enable_idempotence=True,
                    acks="all",
                    # What is sent together goes together without: each partition lingers by itself, and the first goes alone.
                    linger_ms=0,
                    max_batch_size=256 * 1024,
                    max_request_size=_MAX_REQUEST_BYTES,
                    request_timeout_ms=10_000,
                )
                try:
                    await producer.start()
                except BaseException:
                    await asyncio.shield(_abort(producer))
                    raise
                self._producer = producer
            return self._producer


async def _abort(producer: AIOKafkaProducer) -> None:
    """Ends it without a flush: who waits for it gets an error, and nothing that is queued is sent any more.

    `AIOKafkaProducer.stop` flushes first, and cancelled in that it leaves its sender running.
    """
    producer._closed = True
    producer._message_accumulator.fail_all(ProducerClosed())
    sender = producer._sender.sender_task
    if sender is not None:
        sender.cancel()
    # What the sender has on its way ends with the connections.
    await producer.client.close()
    if sender is not None:
        await asyncio.wait([sender], timeout=_LEAVE_SECONDS)


def _size(record: Outgoing) -> int:
    """No less than the broker counts for it."""
    headers = sum(len(name) * 4 + len(value) for name, value in record.headers)
    return _OVERHEAD_BYTES + len(record.key) + len(record.value) + headers + 16 * len(record.headers)


def _most_bytes(topic: str) -> int:
    return BY_NAME[topic].max_bytes if topic in BY_NAME else MAX_RECORD_BYTES


async def ensure_topics(
    bootstrap: str,
    topics: Sequence[Topic] = TOPICS,
    partitions: int = 0,
    replication: int = 3,
    min_insync: int = 2,
) -> list[str]:
    """Creates the topics that are missing and returns their names; what is there stays as it is."""
    async with _admin(bootstrap) as admin:
        present = set(await admin.list_topics())
        missing = [topic for topic in topics if topic.name not in present]
        new = [
            NewTopic(
                topic.name,
                partitions or topic.partitions,
                replication,
                topic_configs=topic.config() | {"min.insync.replicas": str(min_insync)},
            )
            for topic in missing
        ]
        with contextlib.suppress(TopicAlreadyExistsError):
            await admin.create_topics(new)
    return [topic.name for topic in missing]


async def replication_of(bootstrap: str, topics: Sequence[Topic]) -> int:
    """The least number of replicas of any partition of these topics."""
    async with _admin(bootstrap) as admin:
        described = await admin.describe_topics([topic.name for topic in topics])
    return min(len(p["replicas"]) for topic in described for p in topic["partitions"])


async def end_offsets(bootstrap: str, topics: Sequence[Topic]) -> Offsets:
    """The offset that the next record of each partition will get."""
    partitions = await _partitions(bootstrap, topics)
    async with _consumer(bootstrap) as consumer:
        found = await consumer.end_offsets(partitions)
        return {(tp.topic, tp.partition): offset for tp, offset in found.items()}


async def begin_offsets(bootstrap: str, topics: Sequence[Topic]) -> Offsets:
    """The first offset that retention has left in each partition."""
    partitions = await _partitions(bootstrap, topics)
    async with _consumer(bootstrap) as consumer:
        found = await consumer.beginning_offsets(partitions)
        return {(tp.topic, tp.partition): offset for tp, offset in found.items()}


async def committed_offsets(bootstrap: str, group: str, topics: Sequence[Topic]) -> Offsets:
    """What a consumer group has committed; a partition without a commit is left out."""
    names = {topic.name for topic in topics}
    async with _admin(bootstrap) as admin:
        found = await admin.list_consumer_group_offsets(group)
    return {
        (tp.topic, tp.partition): at.offset
        for tp, at in found.items()
        if tp.topic in names and at.offset >= 0
    }


async def read_range(
    bootstrap: str, topic: str, partition: int, start: int, end: int
) -> AsyncIterator[Record]:
    """The records of a partition with start <= offset < end that are still there, without joining any group.

    Raises `Transient` when the broker stops answering on the way."""
    if start >= end:
        return
    async with _consumer(bootstrap) as consumer:
        at = TopicPartition(topic, partition)
        consumer.assign([at])
        consumer.seek(at, max(start, (await consumer.beginning_offsets([at]))[at]))
        moved = time.monotonic()
        while await consumer.position(at) < end:
            found = await consumer.getmany(timeout_ms=500, max_records=1000)
            for raw in found.get(at, ()):
                if raw.offset < end:
                    yield record_of(raw)
            if found:
                moved = time.monotonic()
            elif time.monotonic() - moved > _STALLED_SECONDS:
                raise Transient(f"kafka: nothing more of {topic} {partition}")


async def tail(
    bootstrap: str, topics: Sequence[Topic], from_beginning: bool = False, start: Offsets | None = None
) -> AsyncIterator[Record]:
    """Every record of these topics, for ever, without joining any group. `start`: from these offsets on."""
    partitions = await _partitions(bootstrap, topics)
    async with _consumer(bootstrap) as consumer:
        consumer.assign(partitions)
        await (consumer.seek_to_beginning if from_beginning else consumer.seek_to_end)(*partitions)
        for at, offset in (start or {}).items():
            consumer.seek(TopicPartition(*at), offset)
        while True:
            found = await consumer.getmany(timeout_ms=500, max_records=1000)
            for raws in found.values():
                for raw in raws:
                    yield record_of(raw)


def record_of(raw: object) -> Record:
    """An aiokafka `ConsumerRecord` as ours."""
    return Record(
        raw.topic,  # type: ignore[attr-defined]
        raw.partition,  # type: ignore[attr-defined]
        raw.offset,  # type: ignore[attr-defined]
        raw.key,  # type: ignore[attr-defined]
        raw.value,  # type: ignore[attr-defined]
        tuple(raw.headers),  # type: ignore[attr-defined]
        raw.timestamp,  # type: ignore[attr-defined]
    )


async def _partitions(bootstrap: str, topics: Sequence[Topic]) -> list[TopicPartition]:
    async with _admin(bootstrap) as admin:
        described = await admin.describe_topics([topic.name for topic in topics])
    return [
        TopicPartition(topic["topic"], partition)
        for topic in described
        for partition in sorted(p["partition"] for p in topic["partitions"])
    ]


@contextlib.asynccontextmanager
async def _consumer(bootstrap: str) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
    try:
        await consumer.start()
        yield consumer
    except (KafkaError, OSError) as error:
        raise Transient(f"kafka: {type(error).__name__}") from error
    finally:
        # Nothing is lost with it, and what fails here must not hide why we leave: least of all that we were cancelled.
        with contextlib.suppress(KafkaError, OSError):
            await consumer.stop()


@contextlib.asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        yield admin
    except (KafkaError, OSError) as error:
        raise Transient(f"kafka: {type(error).__name__}") from error
    finally:
        with contextlib.suppress(KafkaError, OSError):
            await admin.close()
