"""Topics that come second: a sender over its rate is diverted to one, and must neither starve the others nor be answered
out of order.

A secondary topic's record is handed on when everything that its primary topic held at that time in the partition of the same
number has been fetched: what was diverted never overtakes what came before it. At most a tenth of a batch is under way, so
that the primary topics do not wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import Topic

_SHARE = 10
_SHORT = 0.02

Fetched = dict[Any, list[Any]]
Get = Callable[[list[Any], float, int], Awaitable[Fetched]]
"""Records of these partitions, waiting so many seconds for the first, and so many at most."""


def behind(topics: Iterable[Topic]) -> dict[str, str]:
    """Secondary topic -> its primary."""
    return {topic.name: topic.behind for topic in topics if topic.behind}


class Secondary:
    """Of one host. `next_of`: the offset behind the last record of a partition that was processed."""

    def __init__(self, topics: Sequence[Topic], batch: int, next_of: Callable[[Any], int]) -> None:
        self._behind = behind(topics)
        self._batch = batch
        self._next_of = next_of
        self._held: Fetched = {}
        self._gates: dict[Any, int] = {}
        self._given: dict[Any, int] = {}
        self._epoch = 0

    def reset(self) -> None:
        """The assignment has changed: what was held is fetched again, here or elsewhere."""
        self._epoch += 1
        self._held, self._gates, self._given = {}, {}, {}

    async def fetch(
        self, consumer: AIOKafkaConsumer, partitions: Iterable[Any], get: Get, timeout: float, most: int
    ) -> Fetched:
        """The next records: of the primary topics, or such as have waited for them."""
        assigned = list(partitions)
        secondary = [tp for tp in assigned if tp.topic in self._behind]
        primary = [tp for tp in assigned if tp.topic not in self._behind]
        if not secondary:
            return await get(primary, timeout, most)
        epoch = self._epoch
        await self._hold(consumer, secondary, get)
        ready = [tp for tp, gate in self._gates.items() if await self._reached(consumer, tp) >= gate]
        if epoch != self._epoch:
            return {}
        if ready:
            return {tp: self._hand_on(tp) for tp in ready}
        wait = min(timeout, _SHORT) if self._held or self._given else timeout
        if primary:
            return await get(primary, wait, most)
        await asyncio.sleep(min(wait, _SHORT))
        return {}

    async def _hold(self, consumer: AIOKafkaConsumer, secondary: list[Any], get: Get) -> None:
        """Takes some, where none are under way, with the place up to which their primaries have to be fetched."""
        if self._held or any(self._next_of(tp) <= last for tp, last in self._given.items()):
            return
        epoch, self._given = self._epoch, {}
        if not (found := await get(secondary, 0, max(1, self._batch // _SHARE))):
            return
        ends = await consumer.end_offsets([self._primary(tp) for tp in found])
        if epoch == self._epoch:
            self._held = dict(found)
            self._gates = {tp: ends[self._primary(tp)] for tp in found}

    def _hand_on(self, tp: Any) -> list[Any]:
        records = self._held.pop(tp)
        del self._gates[tp]
        self._given[tp] = records[-1].offset
        return records

    async def _reached(self, consumer: AIOKafkaConsumer, tp: Any) -> int:
        """How far the primary has been fetched; by another member of the group: what that has done."""
        primary = self._primary(tp)
        if primary in consumer.assignment():
            return int(await consumer.position(primary))
        return await consumer.committed(primary) or 0

    def _primary(self, tp: Any) -> TopicPartition:
        return TopicPartition(self._behind[tp.topic], tp.partition)
