"""A service that does one thing by the clock."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from contextlib import suppress

from contracts.errors import Transient

logger = logging.getLogger(__name__)


class Periodic(ABC):
    """`run` calls `tick` at once and then each `seconds` until `stop`. A `Transient` tick is logged and comes again;
    any other failure ends the process, as everywhere."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        while not self._stopping.is_set():
            try:
                await self.tick()
            except Transient as error:
                logger.warning("%s: not this time: %s", type(self).__name__, error)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._seconds)

    async def stop(self) -> None:
        """Asks `run` to return after the tick it is in."""
        self._stopping.set()

    @abstractmethod
    async def tick(self) -> None:
        """One time. Raises `Transient` when a dependency is away."""
