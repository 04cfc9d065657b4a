"""What must be remembered over the death of a process: crashes by record, and blown fuses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

PartitionKey = tuple[str, int]
"""(topic, partition)"""


@dataclass(frozen=True, slots=True)
class Crash:
    """A batch that ended the process: these offsets of one partition were at work."""

    topic: str
    partition: int
    first: int
    last: int
    traceback_sha256: str

    def covers(self, topic: str, partition: int, offset: int) -> bool:
        return (topic, partition) == (self.topic, self.partition) and self.first <= offset <= self.last


class Incidents(Protocol):
    """Durable. Every method may raise `Transient`."""

    async def crashes(self, stage: str) -> list[Crash]: ...

    async def record_crashes(self, stage: str, crashes: Iterable[Crash]) -> None: ...

    async def open_fuses(self, stage: str) -> set[PartitionKey]: ...

    async def open_fuse(self, stage: str, partition: PartitionKey, reason: str) -> None: ...


class MemoryIncidents:
    """For the memory host and for unit tests: remembers as long as it lives."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, Crash]] = []
        self.fuses: dict[tuple[str, PartitionKey], str] = {}

    async def crashes(self, stage: str) -> list[Crash]:
        return [crash for name, crash in self.noted if name == stage]

    async def record_crashes(self, stage: str, crashes: Iterable[Crash]) -> None:
        self.noted.extend((stage, crash) for crash in crashes)

    async def open_fuses(self, stage: str) -> set[PartitionKey]:
        return {partition for name, partition in self.fuses if name == stage}

    async def open_fuse(self, stage: str, partition: PartitionKey, reason: str) -> None:
        self.fuses[(stage, partition)] = reason
