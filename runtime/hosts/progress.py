"""What every Kafka host keeps beside its loop: fused partitions, progress, the watchdog and the metrics of both."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NoReturn

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from contracts.errors import Transient
from runtime import metrics
from runtime.guard import EXIT_FAULT
from runtime.health import Health
from runtime.incidents import Incidents, PartitionKey
from runtime.stage import Record, Stage

METADATA_MS = 30_000
"""How soon a topic or partition is found that was made after the subscription."""
_GATHERED_BYTES = 64 << 10
PARTITION_BYTES = 1 << 20
"""Most that is fetched ahead of a partition, but for a single record that is larger: several batches of usual messages."""
STUCK_SECONDS = 60.0
_LOOK_SECONDS = 2.0

Standing = Mapping[PartitionKey, tuple[int, int]]
"""Of each assigned partition: the offset that is fetched next, and the end."""

log = structlog.get_logger(__name__)


def fetch_bytes(stage: Stage[Any]) -> int:
    """With so much the broker answers a fetch, else `fetch_wait_ms` after it was asked."""
    return _GATHERED_BYTES if any(topic.gathered for topic in stage.sources) else 1


async def standing(consumer: AIOKafkaConsumer) -> Standing | None:
    """As the broker knows it; None while it does not answer, or the assignment changes."""
    try:
        async with asyncio.timeout(5):
            # aiokafka does not join again after a refusal (by a group that still has members of another protocol, say)
            # until somebody has taken note of it, and Faust does so only once it has partitions.
            consumer._coordinator.check_errors()
            ends = await consumer.end_offsets(consumer.assignment())
            return {(tp.topic, tp.partition): (await consumer.position(tp), end) for tp, end in ends.items()}
    except (KafkaError, TimeoutError) as error:
        log.warning("no standing", error=type(error).__name__)
        return None


def pause_fused(consumer: AIOKafkaConsumer, fused: set[PartitionKey]) -> None:
    """Has these of the consumer's partitions not fetched, and all others."""
    wanted = {tp for tp in consumer.assignment() if (tp.topic, tp.partition) in fused}
    paused = consumer.paused()
    if wanted - paused:
        consumer.pause(*(wanted - paused))
    if paused - wanted:
        consumer.resume(*(paused - wanted))


class Progress:
    """Of one stage in one process. `standing` tells what is assigned, and how far it goes. `behind`: topics that wait for
    others, and for which."""

    def __init__(
        self,
        stage: str,
        incidents: Incidents,
        standing: Callable[[], Awaitable[Standing | None]],
        excused: Callable[[], bool],
        behind: Mapping[str, str],
        end: Callable[[int], NoReturn] = os._exit,
    ) -> None:
        self._stage = stage
        self._behind = behind
        self._incidents = incidents
        self._standing = standing
        self._excused = excused
        self._end = end
        self._moved: dict[PartitionKey, float] = {}
        self._next: dict[PartitionKey, int] = {}
        self._backlog: dict[PartitionKey, int] = {}
        self.fused: set[PartitionKey] = set()
        """Not to be fetched until somebody closes the fuse."""

    async def start(self) -> None:
        """Reads the open fuses before the first fetch; waits for the database."""
        while True:
            if await self._read_fuses():
                return
            await asyncio.sleep(0.5)

    async def watch(self) -> None:
        """For ever: fuses, lag, and the watchdog (a partition with a backlog that does not move ends the process)."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self._read_fuses()
            if (found := await self._standing()) is not None:
                self._backlog = {at: end - self._next.get(at, fetch) for at, (fetch, end) in found.items()}
                self._look(self._backlog)

    def began(self, records: Iterable[Record]) -> None:
        """These were fetched; until they are done they count as waiting."""
        for record in records:
            self._next.setdefault((record.topic, record.partition), record.offset)

    def rebalanced(self) -> None:
        """What was done before a partition moved says nothing about what its next owner did."""
        self._next.clear()
        self._moved.clear()

    def processed(self, records: Sequence[Record]) -> None:
        """These are done."""
        now = time.time()
        self._next |= {(r.topic, r.partition): r.offset + 1 for r in records}
        for at, stamp in {(r.topic, r.partition): r.timestamp_ms for r in records}.items():
            self._moved[at] = time.monotonic()
            metrics.consumer_last_progress.labels(at[0], at[1]).set(now)
            metrics.consumer_lag_seconds.labels(at[0], at[1], self._stage).set(max(0.0, now - stamp / 1000))

    def next_of(self, at: PartitionKey) -> int:
        """The offset behind the last record that is done."""
        return self._next.get(at, 0)

    def report(self, health: Health) -> None:
        """Live: no partition is stuck."""

        async def moving() -> None:
            if self._stuck(self._backlog):
                raise RuntimeError("a partition does not move")

        health.live_checks[f"{self._stage} moves"] = moving

    def _look(self, backlog: Mapping[PartitionKey, int]) -> None:
        metrics.partitions_assigned.labels(self._stage).set(len(backlog))
        for (topic, partition), waiting in backlog.items():
            metrics.consumer_lag.labels(topic, partition, self._stage).set(waiting)
            paused = (topic, partition) in self.fused
            metrics.consumer_paused.labels(topic, partition, "fuse").set(paused)
            metrics.fuse_open.labels(self._stage, topic, partition).set(paused)
        if stuck := self._stuck(backlog):
            log.error("stuck", stage=self._stage, topic=stuck[0], partition=stuck[1], seconds=STUCK_SECONDS)
            self._end(EXIT_FAULT)

    def _stuck(self, backlog: Mapping[PartitionKey, int]) -> PartitionKey | None:
        now = time.monotonic()
        for at, waiting in backlog.items():
            # What waits for another topic's backlog is not stuck.
            ahead = backlog.get((self._behind.get(at[0], ""), at[1]), 0)
            if not waiting or ahead or at in self.fused or self._excused():
                self._moved[at] = now
            elif now - self._moved.setdefault(at, now) > STUCK_SECONDS:
                return at
        return None

    async def _read_fuses(self) -> bool:
        with contextlib.suppress(Transient):
            fused = await self._incidents.open_fuses(self._stage)
            waiting = {(topic, p) for topic, ahead in self._behind.items() for a, p in fused if a == ahead}
            self.fused = fused | waiting
            return True
        return False
