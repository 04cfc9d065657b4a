"""The plain host: a `getmany` loop with explicit commits. The yardstick for the Faust host, and its fall-back."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import Any

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from runtime import metrics
from runtime.guard import Guard
from runtime.hosts.base import DRAIN_SECONDS, KafkaHost
from runtime.hosts.progress import METADATA_MS, PARTITION_BYTES, Standing, fetch_bytes, pause_fused, standing
from runtime.hosts.secondary import Fetched
from runtime.incidents import Incidents
from runtime.kafka import record_of
from runtime.settings import Settings
from runtime.stage import Record, Stage

SESSION_MS, HEARTBEAT_MS, REBALANCE_MS = 10_000, 3_000, 30_000
_COMMIT_SECONDS = 1.0
_LEAVE_SECONDS = 4.0
_POLL_SECONDS = 0.2

log = structlog.get_logger(__name__)


class AiokafkaHost(KafkaHost):
    """One consumer, one batch at a time over all its partitions."""

    def __init__(
        self, stage: Stage[Any], settings: Settings, guard: Guard[Any], incidents: Incidents
    ) -> None:
        super().__init__(stage, settings, guard, incidents)
        self._consumer: AIOKafkaConsumer | None = None
        self._done: dict[TopicPartition, int] = {}
        self._committed_at = 0.0

    async def _consume(self) -> None:
        try:
            self._consumer = await self._connect()
            if self._consumer is not None:
                while not self._stopping.is_set():
                    await self._turn(self._consumer)
                await self._commit(self._consumer)
        finally:
            if self._consumer is not None:
                await _leave(self._consumer)

    def _consumes(self) -> bool:
        return self._consumer is not None

    async def _connect(self) -> AIOKafkaConsumer | None:
        """Waits for a broker; None if asked to stop before there was one."""
        while not self._stopping.is_set():
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._settings.kafka,
                group_id=self._stage.name,
                group_instance_id=self._settings.instance or None,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                session_timeout_ms=SESSION_MS,
                heartbeat_interval_ms=HEARTBEAT_MS,
                max_poll_interval_ms=300_000,
                rebalance_timeout_ms=REBALANCE_MS,
                max_partition_fetch_bytes=PARTITION_BYTES,
                fetch_min_bytes=fetch_bytes(self._stage),
                fetch_max_wait_ms=self._settings.fetch_wait_ms,
                metadata_max_age_ms=METADATA_MS,
            )
            try:
                await consumer.start()
                names = [topic.name for topic in self._stage.sources]
                consumer.subscribe(names, listener=_Rebalances(self))
            except (KafkaError, OSError) as error:
                log.warning("no broker", stage=self._stage.name, error=type(error).__name__)
                await _leave(consumer)
                await asyncio.sleep(1)
            else:
                return consumer
        return None

    async def _turn(self, consumer: AIOKafkaConsumer) -> None:
        """One batch: what the broker gathered."""
        pause_fused(consumer, self._progress.fused)
        try:
            records = await self._fetch(consumer)
        except KafkaError as error:
            log.warning("fetch failed", stage=self._stage.name, error=type(error).__name__)
            await asyncio.sleep(0.5)
            return
        if records:
            await self._process(records)
        if time.monotonic() - self._committed_at >= _COMMIT_SECONDS:
            await self._commit(consumer)

    async def _process(self, records: list[Record]) -> None:
        self._idle.clear()
        try:
            self._progress.began(records)
            await self._guard.process(records)
            self._progress.processed(records)
            for record in records:
                self._done[TopicPartition(record.topic, record.partition)] = record.offset + 1
        finally:
            self._idle.set()

    async def _fetch(self, consumer: AIOKafkaConsumer) -> list[Record]:
        async def get(partitions: list[TopicPartition], seconds: float, at_most: int) -> Fetched:
            found: Fetched = await consumer.getmany(
                *partitions, timeout_ms=round(seconds * 1000), max_records=at_most
            )
            return found

        most, assigned = self._settings.batch, consumer.assignment()
        if not assigned:
            # Asked all the same, for it tells of a refusal by the group; but not waited for in there: without partitions it
            # means all, and would hand on records that come second as soon as there are some.
            found = await get([], 0, most)
            await asyncio.sleep(0 if found else _POLL_SECONDS)
        else:
            found = await self._secondary.fetch(consumer, assigned, get, _POLL_SECONDS, most)
        return [record_of(raw) for raws in found.values() for raw in raws]

    async def _commit(self, consumer: AIOKafkaConsumer) -> None:
        """Commits what is done in partitions that are still ours. A failed commit only means redelivery."""
        self._committed_at = time.monotonic()
        offsets = {tp: offset for tp, offset in self._done.items() if tp in consumer.assignment()}
        if not offsets:
            return
        try:
            async with asyncio.timeout(5):
                await consumer.commit(offsets)
        except (KafkaError, TimeoutError) as error:
            metrics.commits.labels(self._stage.name, "failed").inc()
            log.warning("commit failed", stage=self._stage.name, error=type(error).__name__)
        else:
            metrics.commits.labels(self._stage.name, "done").inc()
            self._done = {tp: at for tp, at in self._done.items() if at != offsets.get(tp)}

    async def revoked(self) -> None:
        """Waits a while for the batch in flight, so that its partitions move on with their offsets committed."""
        if self._consumer is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), DRAIN_SECONDS)
        await self._commit(self._consumer)

    def assigned(self) -> None:
        """Before the first fetch of this assignment."""
        metrics.rebalances.labels(self._stage.name).inc()
        self._done.clear()
        self._secondary.reset()
        self._progress.rebalanced()
        if self._consumer is not None:
            pause_fused(self._consumer, self._progress.fused)

    async def _standing(self) -> Standing | None:
        return await standing(self._consumer) if self._consumer is not None else None


async def _leave(consumer: AIOKafkaConsumer) -> None:
    """Stops it. Without a broker that takes long, or raises the cancellation of aiokafka's own tasks."""
    with contextlib.suppress(asyncio.CancelledError, KafkaError, OSError, TimeoutError):
        async with asyncio.timeout(_LEAVE_SECONDS):
            await consumer.stop()


class _Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    def __init__(self, host: AiokafkaHost) -> None:
        self._host = host

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        await self._host.revoked()

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        self._host.assigned()
