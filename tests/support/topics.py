"""What came onto a topic since a test began."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from contracts.deadletter import DeadLetter
from contracts.inbound import InboundMessage
from contracts.topics import DEAD_LETTERS, INBOUND, OVERFLOW, Topic
from runtime.kafka import Offsets, end_offsets, read_range

P = TypeVar("P")


class Since:
    """The ends of the door's topics at one moment, and everything after it."""

    def __init__(self, bootstrap: str, begin: Offsets) -> None:
        self._bootstrap = bootstrap
        self._begin = begin

    @classmethod
    async def now(cls, bootstrap: str) -> Since:
        return cls(bootstrap, await end_offsets(bootstrap, (INBOUND, OVERFLOW, DEAD_LETTERS["ingest"])))

    async def messages(self) -> list[InboundMessage]:
        """Inbound messages, in the order of each partition."""
        return await self._read(INBOUND, InboundMessage)

    async def diverted(self) -> list[InboundMessage]:
        """The same of the overflow lane."""
        return await self._read(OVERFLOW, InboundMessage)

    async def dead_letters(self) -> list[DeadLetter]:
        return await self._read(DEAD_LETTERS["ingest"], DeadLetter)

    async def at_least(self, count: int, seconds: float = 60) -> list[InboundMessage]:
        """The inbound messages, once there are so many. `TimeoutError` if they do not come."""
        return await _at_least(self.messages, count, seconds)

    async def dead_at_least(self, count: int, seconds: float = 60) -> list[DeadLetter]:
        """The same for dead letters."""
        return await _at_least(self.dead_letters, count, seconds)

    async def _read(self, topic: Topic, payload: type[P]) -> list[P]:
        found = []
        ends = await end_offsets(self._bootstrap, (topic,))
        for (name, partition), end in sorted(ends.items()):
            begin = self._begin[name, partition]
            async for record in read_range(self._bootstrap, name, partition, begin, end):
                assert record.value is not None
                found.append(msgspec.json.decode(record.value, type=payload))
        return found


async def _at_least(read: Callable[[], Awaitable[list[P]]], count: int, seconds: float) -> list[P]:
    async with asyncio.timeout(seconds):
        while True:
            if len(found := await read()) >= count:
                return found
            await asyncio.sleep(0.1)
