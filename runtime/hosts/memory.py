"""The host without Kafka, for unit tests: records in, batches through the guard, and what was produced to look at."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from contracts.base import decoder
from contracts.deadletter import DeadLetter
from contracts.topics import DEAD_LETTERS
from runtime.clock import Clock
from runtime.guard import Guard
from runtime.incidents import Incidents, MemoryIncidents, PartitionKey
from runtime.kafka import Outgoing, Place, Producer
from runtime.stage import Record, Stage

_letters = decoder(DeadLetter)


class MemoryProducer(Producer):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__("memory")
        self.sent: list[Outgoing] = []

    async def send_all(self, records: Sequence[Outgoing]) -> list[Place]:
        self.sent.extend(records)
        return [Place(0, offset) for offset in range(len(self.sent) - len(records), len(self.sent))]


class MemoryHost:
    """Processes the records once and returns; those of fused partitions stay undone. Another host over the same
    `incidents` and records is the process started again. Its end is `SystemExit` with the exit code."""

    def __init__(
        self,
        stage: Stage[Any],
        records: Sequence[Record],
        incidents: Incidents | None = None,
        clock: Clock | None = None,
        producer: MemoryProducer | None = None,
        batch: int = 500,
        end: Callable[[int], NoReturn] = sys.exit,
    ) -> None:
        self._stage = stage
        self._records = records
        self._incidents = incidents or MemoryIncidents()
        self._batch = batch
        self.producer = producer or MemoryProducer()
        self._guard = Guard(stage, self.producer, self._incidents, clock or Clock(), end)
        self.done: dict[PartitionKey, int] = {}
        """The offset after the last one that is done, by partition."""

    async def run(self) -> None:
        await self._stage.start()
        try:
            await self._guard.start()
            fused = await self._incidents.open_fuses(self._stage.name)
            waiting = [r for r in self._records if (r.topic, r.partition) not in fused]
            for start in range(0, len(waiting), self._batch):
                batch = waiting[start : start + self._batch]
                await self._guard.process(batch)
                self.done |= {(r.topic, r.partition): r.offset + 1 for r in batch}
        finally:
            await self._stage.stop()

    @property
    def parked(self) -> list[DeadLetter]:
        """What lies on the stage's dead-letter topic, in order."""
        topic = DEAD_LETTERS[self._stage.name].name
        return [_letters.decode(out.value) for out in self.producer.sent if out.topic == topic]
