"""A stage of its own on the session's broker, with what a test asks about it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import msgspec

from contracts.base import encode
from contracts.topics import DEAD_LETTERS
from runtime.clock import Clock
from runtime.hosts import Host, host
from runtime.incidents import MemoryIncidents
from runtime.kafka import Outgoing, Producer, committed_offsets, end_offsets, ensure_topics, read_range
from runtime.settings import Settings
from tests.conformance.stages import Note, NoteStage, processed, stage_of

_numbers = count(1)


class Rig:
    """One stage under one kind of host."""

    def __init__(self, kind: str, kafka: str, folder: Path, sources: int = 1) -> None:
        self.kind, self.kafka = kind, kafka
        self.name = f"{kind}-{os.getpid()}-{next(_numbers)}"
        self.log = folder / "processed"
        self.stage: NoteStage = stage_of(self.name, self.log, sources)
        self.producer = Producer(kafka)
        self.incidents = MemoryIncidents()

    async def create(self) -> None:
        topics = [*self.stage.sources, DEAD_LETTERS[self.name]]
        await ensure_topics(self.kafka, topics, partitions=4, replication=1, min_insync=1)

    async def feed(self, notes: list[Note], source: int = 0, key: str | None = None) -> None:
        """Spread over the partitions by number; with a key, all in one."""
        topic = self.stage.sources[source].name
        await self.producer.send_all(
            [Outgoing(topic, (key or str(note.number)).encode(), encode(note)) for note in notes]
        )

    async def ends(self) -> dict[tuple[str, int], int]:
        ends = await end_offsets(self.kafka, self.stage.sources)
        return {at: offset for at, offset in ends.items() if offset}

    async def committed(self) -> dict[tuple[str, int], int]:
        found = await committed_offsets(self.kafka, self.name, self.stage.sources)
        return {at: offset for at, offset in found.items() if offset}

    async def letters(self) -> list[dict[str, object]]:
        topic = DEAD_LETTERS[self.name]
        return [
            msgspec.json.decode(record.value or b"")
            for (name, partition), end in (await end_offsets(self.kafka, [topic])).items()
            async for record in read_range(self.kafka, name, partition, 0, end)
        ]

    def numbers(self) -> list[int]:
        return [row.number for row in processed(self.log)]

    @asynccontextmanager
    async def running(self, kafka: str = "") -> AsyncIterator[Host]:
        """The host in this process; stopped at the end, within its ten seconds."""
        settings = Settings(host=self.kind, kafka=kafka or self.kafka, batch=50)  # type: ignore[arg-type]
        service = host(self.stage, settings, self.producer, self.incidents, Clock())
        task = asyncio.create_task(service.run())
        try:
            yield service
        finally:
            await service.stop()
            await asyncio.wait_for(task, 10)

    async def worker(self, *instance: str) -> asyncio.subprocess.Process:
        """The host in a process of its own."""
        arguments = (self.kind, self.kafka, self.name, str(self.log), *instance)
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.conformance.worker", *arguments
        )
