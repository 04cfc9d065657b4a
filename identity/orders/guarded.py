"""A remote shop, asked so that it can never hold up messages: what was asked lately is remembered, what is asked at once goes
in few calls, side by side, within one time limit; and a shop that fails is left alone for a while."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from identity.orders.source import Answers, Asked, OrderSource, ShopOrder, StoreKey, Unavailable
from runtime import metrics

AT_ONCE = 20
"""How much is asked in one call."""

FAILURES = 3
REST_SECONDS = 30.0
"""After so many failures in a row a shop is left alone for so long; then one call tries it."""

_CALLS = 4
_FRESH_SECONDS = 60.0
_REMEMBERED = 20_000


@dataclass(slots=True)
class _Fuse:
    """How one store has answered lately."""

    failures: int = 0
    rests_until: float = 0.0

    def lets(self, now: float) -> bool:
        """Whether it may be asked. Whoever is let through after a rest is alone until the answer is there."""
        if now < self.rests_until:
            return False
        if self.failures >= FAILURES:
            self.rests_until = now + REST_SECONDS
        return True

    def failed(self, now: float, retry_after: float | None) -> None:
        self.failures += 1
        if retry_after is not None or self.failures >= FAILURES:
            self.rests_until = now + max(
                retry_after or 0.0, REST_SECONDS if self.failures >= FAILURES else 0.0
            )

    def answered(self) -> None:
        self.failures, self.rests_until = 0, 0.0


class Guarded:
    """An `OrderSource` that answers within `seconds`, and never raises `Unavailable`: what could not be had is left out.
    `now` is monotonic."""

    def __init__(
        self, source: OrderSource, seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._source = source
        self._seconds = seconds
        self._now = now
        self._fuses: dict[StoreKey, _Fuse] = {}
        self._known: OrderedDict[tuple[StoreKey, Asked], tuple[float, Sequence[ShopOrder]]] = OrderedDict()

    async def find(self, store: StoreKey, asked: Sequence[Asked]) -> Answers:
        found = {one: orders for one in asked if (orders := self._remembered(store, one)) is not None}
        _count("remembered", len(found))
        missing = [one for one in dict.fromkeys(asked) if one not in found]
        if missing:
            found |= await self._asked(store, missing)
            _count("unavailable", sum(one not in found for one in missing))
        return found

    async def close(self) -> None:
        await self._source.close()

    async def _asked(self, store: StoreKey, missing: list[Asked]) -> dict[Asked, Sequence[ShopOrder]]:
        """All that comes in time. Calls that are not answered by then are given up."""
        fuse, room = self._fuses.setdefault(store, _Fuse()), asyncio.Semaphore(_CALLS)
        found: dict[Asked, Sequence[ShopOrder]] = {}

        async def call(part: Sequence[Asked]) -> None:
            async with room:
                if fuse.lets(self._now()):
                    found.update(await self._call(store, part, fuse))

        calls = [asyncio.create_task(call(part)) for part in _parts(missing)]
        done, late = await asyncio.wait(calls, timeout=self._seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.gather(*late, return_exceptions=True)
            fuse.failed(self._now(), None)
        for task in done:
            task.result()
        return found

    async def _call(self, store: StoreKey, part: Sequence[Asked], fuse: _Fuse) -> Answers:
        began = self._now()
        try:
            answers = await self._source.find(store, part)
        except Unavailable as error:
            fuse.failed(self._now(), error.retry_after)
            metrics.order_calls.labels(error.reason).inc()
            return {}
        fuse.answered()
        metrics.order_calls.labels("answered").inc()
        metrics.order_call_duration.observe(self._now() - began)
        for one, orders in answers.items():
            self._remember(store, one, orders)
            _count("asked", 1)
        return answers

    def _remembered(self, store: StoreKey, one: Asked) -> Sequence[ShopOrder] | None:
        until, orders = self._known.get((store, one), (0.0, ()))
        return orders if self._now() < until else None

    def _remember(self, store: StoreKey, one: Asked, orders: Sequence[ShopOrder]) -> None:
        self._known[(store, one)] = (self._now() + _FRESH_SECONDS, orders)
        self._known.move_to_end((store, one))
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _parts(asked: Sequence[Asked]) -> Iterator[Sequence[Asked]]:
    for at in range(0, len(asked), AT_ONCE):
        yield asked[at : at + AT_ONCE]


def _count(outcome: str, count: int) -> None:
    if count:
        metrics.order_lookups.labels(outcome).inc(count)
