"""Between a host and a stage: whatever happens to a batch, every record's outcome is durable before its offset moves.

`Transient`: tried again in place, for ever. `Poison` and `Reject`: parked with their bytes. Anything else ends the
process before the offset moves, and is remembered; a record that did so three times is parked.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import time
import traceback
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Generic, NoReturn, TypeVar, cast
from uuid import UUID

import msgspec
import structlog

from contracts import ids
from contracts.base import decoder, encode
from contracts.deadletter import DeadLetter
from contracts.errors import Poison, Transient
from contracts.resolved import Position, ResolvedMessage
from contracts.topics import DEAD_LETTERS, RESOLVED
from runtime import metrics
from runtime.clock import Clock
from runtime.failpoints import failpoint
from runtime.fuse import Fuse
from runtime.incidents import Crash, Incidents, PartitionKey
from runtime.kafka import Outgoing, Producer
from runtime.stage import Batch, Delivery, P, Record, Reject, Stage

EXIT_FAULT = 70
CRASHES_BEFORE_PARKING = 3
_MAX_PAUSE = 5.0

R = TypeVar("R")

log = structlog.get_logger(__name__)
_descent = decoder(ResolvedMessage)


class Guard(Generic[P]):
    """One stage's guard in one process. `end` is called instead of `os._exit` by tests."""

    def __init__(
        self,
        stage: Stage[P],
        producer: Producer,
        incidents: Incidents,
        clock: Clock,
        end: Callable[[int], NoReturn] = os._exit,
    ) -> None:
        self._stage = stage
        self._producer = producer
        self._incidents = incidents
        self._clock = clock
        self._end = end
        self._decoder = cast(msgspec.json.Decoder[P], decoder(stage.sources[0].payload))
        self._crashes: list[Crash] = []
        self._fuses: dict[PartitionKey, Fuse] = {}
        self.retrying = False
        """A dependency is away: standing still is right, and no reason to end the process."""

    async def start(self) -> None:
        """Learns which records ended a process before. Waits for the database as long as it takes."""
        self._crashes = await self._insist("postgres", lambda: self._incidents.crashes(self._stage.name))

    async def process(self, records: Sequence[Record]) -> None:
        """Returns when every record's outcome is durable. Otherwise the process ends before it returns."""
        started = time.monotonic()
        metrics.stage_inflight.labels(self._stage.name).set(len(records))
        for batch in self._isolated(records):
            try:
                await self._process(batch)
            except Exception as error:
                await self._crash(batch, error)
        failpoint("host.before_ack")
        metrics.stage_inflight.labels(self._stage.name).set(0)
        metrics.stage_duration.labels(self._stage.name, "done").observe(time.monotonic() - started)

    def _isolated(self, records: Sequence[Record]) -> list[list[Record]]:
        """One batch; but suspects of an earlier crash each by themselves, in their place."""
        if not self._crashes:
            return [list(records)]
        batches: list[list[Record]] = [[]]
        for record in records:
            if self._crashed(record):
                batches += [[record], []]
            else:
                batches[-1].append(record)
        return [batch for batch in batches if batch]

    def _crashed(self, record: Record) -> list[Crash]:
        return [c for c in self._crashes if c.covers(record.topic, record.partition, record.offset)]

    async def _process(self, records: list[Record]) -> None:
        deliveries: list[Delivery[P]] = []
        failures: dict[int, Reject] = {}
        for index, record in enumerate(records):
            if len(crashes := self._crashed(record)) >= CRASHES_BEFORE_PARKING:
                failures[index] = Reject("crashed_thrice", crashes[-1].traceback_sha256)
                continue
            try:
                deliveries.append(Delivery(record, self._decoder.decode(record.value or b"")))
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                failures[index] = Reject("undecodable", str(error)[:200])
        if deliveries:
            rejected = await self._run(deliveries)
            places = {id(record): index for index, record in enumerate(records)}
            failures |= {places[id(record)]: reject for record, reject in rejected}
        if failures:
            await self._park([(records[index], failures[index]) for index in sorted(failures)])
        await self._count(records, failures)

    async def _run(self, deliveries: list[Delivery[P]]) -> list[tuple[Record, Reject]]:
        """The stage's rejects. A batch that is refused as a whole is replayed in halves, to find the one."""
        try:
            outcomes = await self._insist("stage", lambda: self._stage.run(Batch(deliveries)))
        except Poison as error:
            if len(deliveries) == 1:
                return [(deliveries[0].record, Reject(error.reason, error.detail))]
            middle = len(deliveries) // 2
            return await self._run(deliveries[:middle]) + await self._run(deliveries[middle:])
        pairs = zip(deliveries, outcomes, strict=True)
        return [(delivery.record, outcome) for delivery, outcome in pairs if isinstance(outcome, Reject)]

    async def _insist(self, dependency: str, work: Callable[[], Awaitable[R]]) -> R:
        """Does the work until no dependency is away any more."""
        pause = 0.05
        while True:
            try:
                result = await work()
            except Transient as error:
                self.retrying = True
                metrics.retries.labels(self._stage.name, dependency).inc()
                log.warning("tried again", stage=self._stage.name, error=str(error))
                await asyncio.sleep(error.retry_after or pause * random.uniform(0.5, 1.0))
                pause = min(pause * 2, _MAX_PAUSE)
            else:
                self.retrying = False
                return result

    async def _park(self, failed: Sequence[tuple[Record, Reject]]) -> None:
        if not self._stage.parks:
            for record, reject in failed:
                log.error(
                    "passed over", stage=self._stage.name, at=str(record.position), reason=reject.reason
                )
            return
        letters = [self._letter(record, reject) for record, reject in failed]
        await self._insist("kafka", lambda: self._producer.send_all(letters))
        for _, reject in failed:
            metrics.parked.labels(self._stage.name, reject.reason).inc()

    def _letter(self, record: Record, reject: Reject) -> Outgoing:
        letter = DeadLetter(
            dead_letter_id=ids.dead_letter_id(
                self._stage.name, record.topic, record.partition, record.offset
            ),
            stage=self._stage.name,  # type: ignore[arg-type]
            reason=reject.reason,
            detail=reject.detail,
            raw=record.value or b"",
            occurred_at=self._clock.now(),
            position=record.position,
            source=_source(record),
            workspace=_workspace(record),
            key=record.key,
            headers={name: value.decode("utf-8", "replace") for name, value in record.headers},
            traceback_sha256=reject.detail if reject.reason == "crashed_thrice" else None,
        )
        return Outgoing(DEAD_LETTERS[self._stage.name].name, record.key or b"", encode(letter))

    async def _count(self, records: Sequence[Record], failures: dict[int, Reject]) -> None:
        for index, record in enumerate(records):
            at = (record.topic, record.partition)
            blown = self._fuses.setdefault(at, Fuse()).count(index in failures)
            if blown:
                open_fuse = partial(self._incidents.open_fuse, self._stage.name, at, blown)
                await self._insist("postgres", open_fuse)
                log.error("fuse blown", stage=self._stage.name, topic=at[0], partition=at[1], reason=blown)
                # Started again, only this partition stands still; its batch is parked already, under the same ids.
                self._end(EXIT_FAULT)

    async def _crash(self, records: Sequence[Record], error: Exception) -> None:
        text = "".join(traceback.format_exception(error))
        digest = hashlib.sha256(text.encode()).hexdigest()
        log.error("stage failed", stage=self._stage.name, error=type(error).__name__, traceback=text)
        try:
            async with asyncio.timeout(10):
                await self._incidents.record_crashes(self._stage.name, _ranges(records, digest))
        except Exception as failure:
            log.error("crash not recorded", stage=self._stage.name, error=type(failure).__name__)
        self._end(EXIT_FAULT)


def _workspace(record: Record) -> UUID | None:
    """Every key of ours begins with it, also where the value cannot be read."""
    try:
        return UUID((record.key or b"").partition(b"|")[0].decode())
    except ValueError:
        return None


def _source(record: Record) -> Position | None:
    """The inbound record that this one descends from: the one `verify` counts."""
    if record.topic != RESOLVED.name:
        return record.position
    try:
        return _descent.decode(record.value or b"").position
    except msgspec.MsgspecError:
        return None


def _ranges(records: Sequence[Record], digest: str) -> list[Crash]:
    found: dict[PartitionKey, tuple[int, int]] = {}
    for record in records:
        first, last = found.get((record.topic, record.partition), (record.offset, record.offset))
        found[(record.topic, record.partition)] = (min(first, record.offset), max(last, record.offset))
    return [Crash(topic, partition, *span, digest) for (topic, partition), span in found.items()]
