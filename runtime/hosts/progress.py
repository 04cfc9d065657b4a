"""What every Kafka host keeps beside its loop: fused partitions, progress, the watchdog and the metrics of both."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn

import structlog

from contracts.errors import Transient
from runtime import metrics
from runtime.guard import EXIT_FAULT
from runtime.health import Health
from runtime.incidents import Incidents, PartitionKey
from runtime.stage import Record

STUCK_SECONDS = 60.0
_LOOK_SECONDS = 2.0

log = structlog.get_logger(__name__)


class Progress:
    """Of one stage in one process. `backlog` tells how many records wait in each assigned partition."""

    def __init__(
        self,
        stage: str,
        incidents: Incidents,
        backlog: Callable[[], Mapping[PartitionKey, int]],
        excused: Callable[[], bool],
        end: Callable[[int], NoReturn] = os._exit,
    ) -> None:
        self._stage = stage
        self._incidents = incidents
        self._backlog = backlog
        self._excused = excused
        self._end = end
        self._moved: dict[PartitionKey, float] = {}
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
            self._look(self._backlog())

    def processed(self, records: Iterable[Record]) -> None:
        """These are done."""
        now = time.time()
        for at, stamp in {(r.topic, r.partition): r.timestamp_ms for r in records}.items():
            self._moved[at] = time.monotonic()
            metrics.consumer_last_progress.labels(at[0], at[1]).set(now)
            metrics.consumer_lag_seconds.labels(at[0], at[1], self._stage).set(max(0.0, now - stamp / 1000))

    def report(self, health: Health) -> None:
        """Live: no partition is stuck."""

        async def moving() -> None:
            if self._stuck(self._backlog()):
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
            if not waiting or at in self.fused or self._excused():
                self._moved[at] = now
            elif now - self._moved.setdefault(at, now) > STUCK_SECONDS:
                return at
        return None

    async def _read_fuses(self) -> bool:
        with contextlib.suppress(Transient):
            self.fused = await self._incidents.open_fuses(self._stage)
            return True
        return False
