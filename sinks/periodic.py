"""A service that does one thing by the clock."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress

import structlog

from contracts.errors import Transient
from runtime.health import Health, Pulse

# A tick may walk through much; one that has not come back by then never will.
_STILL_SECONDS = 600.0

log = structlog.get_logger(__name__)


class Periodic(ABC):
    """`run` calls `tick` at once and then each `seconds` until `stop`. A `Transient` tick is logged and comes again;
    any other failure ends the process, as everywhere."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._stopping = asyncio.Event()
        self._pulse = Pulse(seconds + _STILL_SECONDS)

    def report(self, health: Health) -> None:
        """Live means that ticks come to their end."""
        health.live_checks[f"{type(self).__name__} ticks"] = self._pulse.check

    async def run(self) -> None:
        while not self._stopping.is_set():
            self._pulse.beat()
            try:
                await self.tick()
            except Transient as error:
                log.warning("not this time", service=type(self).__name__, error=str(error))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._seconds)

    async def stop(self) -> None:
        """Asks `run` to return after the tick it is in."""
        self._stopping.set()

    @abstractmethod
    async def tick(self) -> None:
        """One time. Raises `Transient` when a dependency is away."""
