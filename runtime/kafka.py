"""Kafka, apart from the hosts' consumers: producing, topics, offsets, reading a range. The only importer of aiokafka
beside `runtime/hosts`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import (
    KafkaError,
    OutOfOrderSequenceNumber,
    ProducerClosed,
    ProducerFenced,
    TopicAlreadyExistsError,
    UnknownProducerId,
)

from contracts.errors import Poison, Transient
from contracts.topics import MAX_RECORD_BYTES, TOPICS, Topic
from runtime import metrics
from runtime.stage import Record

# After these an idempotent producer never recovers by itself (aiokafka #1017): a new one must be made.
_FATAL = (OutOfOrderSequenceNumber, ProducerClosed, ProducerFenced, UnknownProducerId)

# Dead letters carry a whole record once more, in base64.
_MAX_REQUEST_BYTES = MAX_RECORD_BYTES * 2

Offsets = dict[tuple[str, int], int]
"""(topic, partition) -> offset."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be produced."""

    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class Producer:
    """Idempotent, acks=all. `send_all` returns when every record is acknowledged, or raises `Transient`; a repeated call
    may write a record twice, which readers drop by its id."""

    def __init__(self, bootstrap: str, linger_ms: int = 2, timeout: float = 15.0) -> None:
        self._bootstrap = bootstrap
        self._linger_ms = linger_ms
        self._timeout = timeout
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Connects if the broker is there; otherwise the first `send_all` does."""
        with contextlib.suppress(Transient):
            await self._connected()

    async def stop(self) -> None:
        await self._discard()

    async def send_all(self, records: Sequence[Outgoing]) -> None:
        """All of them, acknowledged. Raises `Poison` before anything is sent if one is too large."""
        for record in records:
            if len(record.value) > _MAX_REQUEST_BYTES:
                raise Poison("too_large", f"{len(record.value)} bytes for {record.topic}")
        if not records:
            return
        producer = await self._connected()
        try:
            async with asyncio.timeout(self._timeout):
                waits = [
                    await producer.send(r.topic, value=r.value, key=r.key, headers=list(r.headers))
                    for r in records
                ]
                await _all(waits)
        except _FATAL as error:
            await self._restart(producer, type(error).__name__)
            raise Transient(f"kafka: {type(error).__name__}") from error
        except TimeoutError as error:
            # What is still queued must not follow later, behind newer records of the same key.
            await self._restart(producer, "timeout")
            raise Transient("kafka: no acknowledgement in time") from error
        except KafkaError as error:
            metrics.produce.labels(records[0].topic, "failed").inc(len(records))
            raise Transient(f"kafka: {type(error).__name__}") from error
        metrics.produce.labels(records[0].topic, "acknowledged").inc(len(records))

    async def _connected(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._bootstrap,
                    enable_idempotence=True,
                    acks="all",
                    linger_ms=self._linger_ms,
                    max_batch_size=256 * 1024,
                    max_request_size=_MAX_REQUEST_BYTES,
                    request_timeout_ms=10_000,
                )
                try:
                    async with asyncio.timeout(self._timeout):
                        await producer.start()
                except (KafkaError, OSError, TimeoutError) as error:
                    await _quietly_stop(producer)
                    raise Transient(f"kafka: {type(error).__name__}") from error
                self._producer = producer
            return self._producer

    async def _restart(self, failed: AIOKafkaProducer, reason: str) -> None:
        metrics.producer_restarts.labels(reason).inc()
        if self._producer is failed:
            await self._discard()

    async def _discard(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            await _quietly_stop(producer)


async def _all(waits: Iterable[asyncio.Future[object]]) -> None:
    """Waits for every acknowledgement before the first failure is raised: none is left unobserved."""
    results = await asyncio.gather(*waits, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def _quietly_stop(producer: AIOKafkaProducer) -> None:
    with contextlib.suppress(KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(3):
            await producer.stop()


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
    """The records of a partition with start <= offset < end that are still there, without joining any group."""
    if start >= end:
        return
    async with _consumer(bootstrap) as consumer:
        at = TopicPartition(topic, partition)
        consumer.assign([at])
        consumer.seek(at, max(start, (await consumer.beginning_offsets([at]))[at]))
        while await consumer.position(at) < end:
            found = await consumer.getmany(timeout_ms=500, max_records=1000)
            for raw in found.get(at, ()):
                if raw.offset < end:
                    yield record_of(raw)


async def tail(
    bootstrap: str, topics: Sequence[Topic], from_beginning: bool = False
) -> AsyncIterator[Record]:
    """Every record of these topics, for ever, without joining any group."""
    partitions = await _partitions(bootstrap, topics)
    async with _consumer(bootstrap) as consumer:
        consumer.assign(partitions)
        await (consumer.seek_to_beginning if from_beginning else consumer.seek_to_end)(*partitions)
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
        await admin.close()
