"""Which lane a sender's messages take: the usual one, or the overflow, which is read behind it, for who sends too much.

Counted by the very key that is produced with. Who was diverted stays so until identity has done the last of their diverted
messages, or a newer one would overtake it. So every door reads the overflow topic's keys: it knows whom other doors have
diverted, and whom it had diverted itself before it was started again.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import structlog

from contracts.errors import Transient
from contracts.topics import INBOUND, OVERFLOW
from ingest.form_guard import Buckets, Rate
from runtime import metrics
from runtime.kafka import Outgoing, Place, committed_offsets, end_offsets, read_range, tail
from runtime.tasks import side_by_side

_READER = "identity"  # the consumer group whose work is waited for
_LOOK_SECONDS = 1.0
_KNOWN_SECONDS = 10.0

log = structlog.get_logger(__name__)


class Lanes:
    """Of one door. `run` has to be running."""

    def __init__(self, kafka: str, rate: Rate) -> None:
        self._kafka = kafka
        self._rate = rate
        self._buckets = Buckets()
        self._last: dict[bytes, Place] = {}
        self._flying: Counter[bytes] = Counter()
        self._known = asyncio.Event()

    async def place(self, records: Sequence[Outgoing]) -> list[Outgoing]:
        """The records, each on its lane; `landed` or `failed` has to follow. Raises `Transient` while nobody knows yet who is
        diverted."""
        if not self._known.is_set():
            await self._learn()
        return [self._placed(record) for record in records]

    async def _learn(self) -> None:
        try:
            async with asyncio.timeout(_KNOWN_SECONDS):
                await self._known.wait()
        except TimeoutError:
            raise Transient("lanes: the overflow topic was not read yet") from None

    def landed(self, records: Sequence[Outgoing], places: Sequence[Place]) -> None:
        """The records are written, there."""
        for record, place in zip(records, places, strict=True):
            if record.topic == OVERFLOW.name:
                self._note(record.key, place)
        self.failed(records)

    def failed(self, records: Sequence[Outgoing]) -> None:
        """The records are not written, as far as anybody knows; what is all the same is read from the topic."""
        for record in records:
            if record.topic == OVERFLOW.name:
                self._flying[record.key] -= 1
                if not self._flying[record.key]:
                    del self._flying[record.key]

    async def run(self) -> None:
        """For ever: learns who is diverted, and lets go of whose messages are done."""
        while True:
            try:
                await side_by_side(self._read(), self._let_go())
            except (Transient, OSError, TimeoutError) as error:
                log.warning("overflow not read", error=str(error))
            await asyncio.sleep(_LOOK_SECONDS)

    def _placed(self, record: Outgoing) -> Outgoing:
        if record.topic != INBOUND.name:
            return record
        within = self._buckets.take(record.key.decode(), self._rate, time.monotonic())
        if within and record.key not in self._last and record.key not in self._flying:
            return record
        metrics.diverted.labels(record.key.split(b"|")[1].decode()).inc()
        self._flying[record.key] += 1
        return replace(record, topic=OVERFLOW.name)

    def _note(self, key: bytes, place: Place) -> None:
        """One key is one partition: of two offsets the greater is the later."""
        self._last[key] = max(place, self._last.get(key, place))
        metrics.diverted_senders.set(len(self._last))

    async def _read(self) -> None:
        done = await committed_offsets(self._kafka, _READER, (OVERFLOW,))
        ends = await end_offsets(self._kafka, (OVERFLOW,))
        for (topic, partition), end in ends.items():
            async for record in read_range(
                self._kafka, topic, partition, done.get((topic, partition), 0), end
            ):
                self._note(record.key or b"", Place(partition, record.offset))
        self._known.set()
        async for record in tail(self._kafka, (OVERFLOW,), start=ends):
            self._note(record.key or b"", Place(record.partition, record.offset))

    async def _let_go(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if not self._last:
                continue
            done = await committed_offsets(self._kafka, _READER, (OVERFLOW,))
            self._last = {
                key: place
                for key, place in self._last.items()
                if done.get((OVERFLOW.name, place.partition), 0) <= place.offset
            }
            metrics.diverted_senders.set(len(self._last))
