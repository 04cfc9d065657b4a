"""A stage that does what its records say, and notes what it did where a later process can read it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar, NamedTuple

from contracts.base import Payload
from contracts.errors import Poison, Transient
from contracts.topics import DEAD_LETTERS, Topic
from runtime.stage import Batch, Done, Outcome, Record, Reject, Stage


class Note(Payload, frozen=True, kw_only=True):
    """`act`: what the stage does about it. Every act but `fail` is done once, then the record is processed."""

    number: int
    act: str = ""


class NoteStage(Stage[Note]):
    """Of a topic of its own, in a group of its own. `log` gets a line for each processed record."""

    name: ClassVar[str] = ""
    sources: ClassVar[tuple[Topic, ...]] = ()

    log: Path

    async def run(self, batch: Batch[Note]) -> list[Outcome]:
        lines: list[str] = []
        outcomes: list[Outcome] = []
        for delivery in batch:
            note, record = delivery.message, delivery.record
            match note.act:
                case "poison":
                    raise Poison("poisonous")
                case "reject":
                    outcomes.append(Reject("unwanted"))
                    continue
                case "transient" if self._first("transient", record):
                    raise Transient("away", retry_after=0.01)
                case "bug" if self._first("bug", record):
                    raise ZeroDivisionError
                case "die" if self._first("die", record):
                    os._exit(137)
            lines.append(f"{record.topic} {record.partition} {record.offset} {note.number} {os.getpid()}\n")
            outcomes.append(Done())
        with self.log.open("a") as log:
            log.writelines(lines)
        return outcomes

    def _first(self, act: str, record: Record) -> bool:
        """Whether this happens for the first time, over the death of the process."""
        mark = self.log.with_suffix(f".{act}.{record.partition}.{record.offset}")
        seen = mark.exists()
        mark.touch()
        return not seen


def stage_of(name: str, log: Path, sources: int = 1) -> NoteStage:
    """A stage, its topics `<name>.<i>`, all others behind the first, and its dead-letter topic `<name>.dlq` (to be created by
    the caller)."""
    topics = tuple(_topic(f"{name}.{i}", f"{name}.0" if i else "") for i in range(sources))
    DEAD_LETTERS[name] = _topic(f"{name}.dlq")
    stage: NoteStage = type("Notes", (NoteStage,), {"name": name, "sources": topics})()
    stage.log = log
    return stage


class Row(NamedTuple):
    """A record that was processed, and by which process."""

    topic: str
    partition: int
    offset: int
    number: int
    process: int


def processed(log: Path) -> list[Row]:
    """In the order of processing."""
    if not log.exists():
        return []
    rows = (line.split() for line in log.read_text().splitlines())
    return [Row(topic, *map(int, rest)) for topic, *rest in rows]


def _topic(name: str, behind: str = "") -> Topic:
    return Topic(name, Note, "none", 1, "tests", "tests", partitions=4, behind=behind)
