"""The contract of a stage: a batch of deliveries in, one outcome each out.

A stage is a thin shell around a pure decider. It opens one transaction a batch, and returns only when every outcome
is durable. It never catches what it cannot name: the guard (`runtime/guard.py`) decides what an exception means.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar
from uuid import UUID

from contracts.base import Payload
from contracts.resolved import Position
from contracts.topics import Topic

P = TypeVar("P", bound=Payload)


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record as read: bytes only."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = 0

    @property
    def position(self) -> Position:
        return Position(topic=self.topic, partition=self.partition, offset=self.offset)


@dataclass(frozen=True, slots=True)
class Delivery(Generic[P]):
    """A record and what it decoded to."""

    record: Record
    message: P


@dataclass(frozen=True, slots=True)
class Batch(Generic[P]):
    """Deliveries in the order of their partitions; never empty. May hold several partitions."""

    deliveries: Sequence[Delivery[P]]

    @property
    def workspaces(self) -> list[UUID]:
        """The workspaces in it, sorted: what row-level security of the transaction is set to."""
        return sorted({_workspace(d.message) for d in self.deliveries})

    def __len__(self) -> int:
        return len(self.deliveries)

    def __iter__(self) -> Iterator[Delivery[P]]:
        return iter(self.deliveries)


def _workspace(message: Payload) -> UUID:
    workspace: UUID = message.workspace  # type: ignore[attr-defined]
    return workspace


@dataclass(frozen=True, slots=True)
class Done:
    """Stored (or already stored), and whatever follows from it is durable."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Deliberately not processed; the stage has written the row that says so."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    """Can never be processed: the guard parks it on the stage's dead-letter topic with its bytes."""

    reason: str
    detail: str = ""


Outcome = Done | Drop | Reject


class Stage(ABC, Generic[P]):
    """What a host runs."""

    name: ClassVar[str]
    """`identity`, `router`: consumer group, metric label, dead-letter topic."""
    sources: ClassVar[tuple[Topic, ...]]
    """All of one payload type; the first one names it."""
    parks: ClassVar[bool] = True
    """False: another stage reads the same records and parks what no code can read; here such a record is passed over."""

    async def start(self) -> None:
        """Called once, in the host's event loop, before the first batch."""

    async def stop(self) -> None:
        """Called once, after the last batch."""

    @abstractmethod
    async def run(self, batch: Batch[P]) -> list[Outcome]:
        """One outcome for each delivery, in order, all of them durable.

        Raises `Transient` (the whole batch is tried again), `Poison` (the guard replays the batch in halves, and
        parks what fails alone); anything else ends the process before the offset moves. Must be repeatable.
        """
