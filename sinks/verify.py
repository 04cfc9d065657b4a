"""The equation: accepted = stored + duplicates + parked + suppressed, by offsets, per partition.

Accepted is every record of the inbound and overflow topics and of the door's dead-letter topic (offsets are dense), and
what the spool still holds. Each has exactly one terminal row, or is on its way: `pending`. The rest is the residual.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog

from contracts.resolved import Position
from contracts.topics import DEAD_LETTERS, INBOUND, OVERFLOW
from runtime import metrics
from runtime.postgres import Database
from runtime.settings import Settings
from sinks.intransit import InTransit, in_transit
from sinks.periodic import Periodic
from sinks.postgres.sql import queries

log = structlog.get_logger(__name__)

COUNTED = (INBOUND, OVERFLOW, DEAD_LETTERS["ingest"])
"""The topics whose records were accepted from the outside."""

_WINDOW = 50_000
_NAMED = 100


@dataclass(frozen=True, slots=True)
class Books:
    """Terminal rows, counted."""

    stored: int = 0
    duplicates: int = 0
    parked: int = 0
    suppressed: int = 0

    def __add__(self, other: Books) -> Books:
        return Books(
            self.stored + other.stored,
            self.duplicates + other.duplicates,
            self.parked + other.parked,
            self.suppressed + other.suppressed,
        )


@dataclass(frozen=True, slots=True)
class PartitionLedger:
    """One partition. `closed`: the books below this offset are closed, and their rows may be deleted."""

    topic: str
    partition: int
    accepted: int
    closed: int
    books: Books = Books()
    pending: int = 0
    missing: tuple[int, ...] = ()
    """Offsets without a terminal row that are not on their way either."""
    doubled: tuple[int, ...] = ()
    """Offsets with two terminal rows."""

    @property
    def residual(self) -> int:
        return len(self.missing) + len(self.doubled)


@dataclass(frozen=True, slots=True)
class Ledger:
    """`accepted = stored + duplicates + parked + suppressed + pending + spooled` exactly when `residual` is 0."""

    accepted: int
    stored: int
    duplicates: int
    parked: int
    suppressed: int
    pending: int
    spooled: int
    residual: int
    partitions: tuple[PartitionLedger, ...]
    missing: tuple[Position, ...]
    """The first hundred positions of the residual."""


async def verify(settings: Settings, system_db: Database, spooled: Callable[[], int] = lambda: 0) -> Ledger:
    """Counts and compares now; moves the checkpoints. Safe beside a running system. `spooled` gives the undrained entries
    of the spool. Raises `Transient` when Kafka or Postgres is away."""
    # What the spool holds is counted before the topics: an entry drained in between would otherwise be missed.
    waiting = await asyncio.to_thread(spooled)
    # Checkpoints before the ends: another verifier may close books beyond ends that were read before.
    checkpoints = await _checkpoints(system_db)
    transit = await in_transit(settings.kafka, COUNTED)
    partitions = tuple(
        [
            await _partition(system_db, topic, partition, transit, checkpoints.get((topic, partition), _OPEN))
            for topic, partition in sorted(transit.ends)
        ]
    )
    return _sum(partitions, waiting)


class Verifier(Periodic):
    """Each minute: the gauge `frontdesk_ledger_residual`, and an error in the log when it is not 0."""

    def __init__(self, settings: Settings, system_db: Database, spooled: Callable[[], int]) -> None:
        super().__init__(60.0)
        self._settings = settings
        self._database = system_db
        self._spooled = spooled

    async def tick(self) -> None:
        await self._database.open()
        ledger = await verify(self._settings, self._database, self._spooled)
        metrics.ledger_residual.set(ledger.residual)
        say = log.error if ledger.residual else log.info
        say(
            "ledger",
            accepted=ledger.accepted,
            stored=ledger.stored,
            duplicates=ledger.duplicates,
            parked=ledger.parked,
            suppressed=ledger.suppressed,
            pending=ledger.pending,
            spooled=ledger.spooled,
            residual=ledger.residual,
            missing=[f"{p.topic}/{p.partition}/{p.offset}" for p in ledger.missing],
        )


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    offset: int
    books: Books


_OPEN = _Checkpoint(0, Books())


@dataclass(slots=True)
class _Count:
    """A partition while its windows are read."""

    closed: int
    at_checkpoint: Books
    books: Books
    pending: int = 0
    missing: list[int] = field(default_factory=list)
    doubled: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Window:
    books: Books
    without: list[int]
    doubled: list[int]


async def _checkpoints(database: Database) -> dict[tuple[str, int], _Checkpoint]:
    rows = await database.fetch([], queries("verify")["checkpoints"])
    return {(row[0], row[1]): _Checkpoint(row[2], Books(*row[3:])) for row in rows}


async def _partition(
    database: Database, topic: str, partition: int, transit: InTransit, start: _Checkpoint
) -> PartitionLedger:
    end = transit.ends[topic, partition]
    count = _Count(start.offset, start.books, start.books)
    for low, high in _windows(start.offset, end):
        window = await _window(database, topic, partition, low, high)
        await _advance(database, topic, partition, count, window, low, high)
        count.books += window.books
        count.doubled += window.doubled
        lost = [offset for offset in window.without if not transit.covers(topic, partition, offset)]
        count.missing += lost
        count.pending += len(window.without) - len(lost)
    if count.closed > start.offset:
        await _close(database, topic, partition, count)
    # Closed books beyond the end: the broker has lost records that it had acknowledged.
    count.missing += range(end, start.offset)
    return PartitionLedger(
        topic,
        partition,
        accepted=max(end, start.offset),
        closed=count.closed,
        books=count.books,
        pending=count.pending,
        missing=tuple(count.missing),
        doubled=tuple(count.doubled),
    )


def _windows(low: int, end: int) -> Iterator[tuple[int, int]]:
    for start in range(low, end, _WINDOW):
        yield start, min(start + _WINDOW, end)


async def _advance(
    database: Database, topic: str, partition: int, count: _Count, window: _Window, low: int, high: int
) -> None:
    """Closes the books over the complete beginning of a window, if those of all windows before are closed."""
    if count.closed < low:
        return
    gap = min([*window.without[:1], *window.doubled[:1], high])
    if gap == high:
        count.at_checkpoint += window.books
    elif gap > low:
        count.at_checkpoint += (await _window(database, topic, partition, low, gap)).books
    count.closed = gap


async def _window(database: Database, topic: str, partition: int, low: int, high: int) -> _Window:
    parameters = {"topic": topic, "partition": partition, "low": low, "high": high}
    row = (await database.fetch([], queries("verify")["window"], parameters))[0]
    return _Window(Books(*row[:4]), row[4], row[5])


async def _close(database: Database, topic: str, partition: int, count: _Count) -> None:
    books = count.at_checkpoint
    parameters = {
        "topic": topic,
        "partition": partition,
        "offset": count.closed,
        "stored": books.stored,
        "duplicates": books.duplicates,
        "parked": books.parked,
        "suppressed": books.suppressed,
    }
    async with database.transaction() as connection:
        await connection.execute(queries("verify")["close_books"], parameters)


def _sum(partitions: Sequence[PartitionLedger], waiting: int) -> Ledger:
    books = sum((p.books for p in partitions), Books())
    wrong = (
        Position(topic=p.topic, partition=p.partition, offset=offset)
        for p in partitions
        for offset in (*p.missing, *p.doubled)
    )
    return Ledger(
        accepted=sum(p.accepted for p in partitions) + waiting,
        stored=books.stored,
        duplicates=books.duplicates,
        parked=books.parked,
        suppressed=books.suppressed,
        pending=sum(p.pending for p in partitions),
        spooled=waiting,
        residual=sum(p.residual for p in partitions),
        partitions=tuple(partitions),
        missing=tuple(position for position, _ in zip(wrong, range(_NAMED), strict=False)),
    )
