"""What the Kafka hosts share: the order of starting and stopping, and what they report."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import Any

from runtime.guard import Guard
from runtime.health import Health
from runtime.hosts.progress import Progress, Standing
from runtime.hosts.secondary import Secondary, behind
from runtime.incidents import Incidents
from runtime.settings import Settings
from runtime.stage import Stage

DRAIN_SECONDS = 8.0
"""How long a rebalance, or the end, waits for the batch in flight."""


class KafkaHost(ABC):
    """One stage in a consumer group of its name."""

    def __init__(
        self, stage: Stage[Any], settings: Settings, guard: Guard[Any], incidents: Incidents
    ) -> None:
        self._stage = stage
        self._settings = settings
        self._guard = guard
        self._progress = Progress(
            stage.name, incidents, self._standing, lambda: guard.retrying, behind(stage.sources)
        )
        self._secondary = Secondary(
            stage.sources, settings.batch, lambda tp: self._progress.next_of((tp.topic, tp.partition))
        )
        self._idle = asyncio.Event()
        self._idle.set()
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        await self._stage.start()
        await self._guard.start()
        await self._progress.start()
        watcher = asyncio.create_task(self._progress.watch())
        try:
            await self._consume()
        finally:
            watcher.cancel()
            await self._stage.stop()

    async def stop(self) -> None:
        self._stopping.set()

    def report(self, health: Health) -> None:
        self._progress.report(health)

        async def assigned() -> None:
            if not self._consumes():
                raise RuntimeError("no partitions yet")

        health.ready_checks[f"{self._stage.name} consumes"] = assigned

    @abstractmethod
    async def _consume(self) -> None:
        """Processes batches until `stop`; leaves the group at the end."""

    @abstractmethod
    def _consumes(self) -> bool:
        """Whether the group has been joined."""

    @abstractmethod
    async def _standing(self) -> Standing | None:
        """Of the assigned partitions; None while nobody knows."""
