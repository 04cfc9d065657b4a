"""A process with one host: `python -m tests.conformance.worker HOST KAFKA NAME LOG [INSTANCE]`, until SIGTERM."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import msgspec
import uvloop

from runtime.clock import Clock
from runtime.hosts import host
from runtime.incidents import Crash, MemoryIncidents
from runtime.kafka import Producer
from runtime.settings import Settings
from tests.conformance.stages import stage_of


class FileIncidents(MemoryIncidents):
    """Crashes and fuses that outlive the process, in one file."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        if path.exists():
            self.noted, self.fuses = msgspec.msgpack.decode(
                path.read_bytes(), type=tuple[list[tuple[str, Crash]], dict[tuple[str, tuple[str, int]], str]]
            )

    async def record_crashes(self, stage: str, crashes: object) -> None:
        await super().record_crashes(stage, crashes)  # type: ignore[arg-type]
        self._write()

    async def open_fuse(self, stage: str, partition: tuple[str, int], reason: str) -> None:
        await super().open_fuse(stage, partition, reason)
        self._write()

    def _write(self) -> None:
        self._path.write_bytes(msgspec.msgpack.encode((self.noted, self.fuses)))


async def main(kind: str, kafka: str, name: str, log: str, instance: str = "") -> None:
    settings = Settings(host=kind, kafka=kafka, batch=50, instance=instance)  # type: ignore[arg-type]
    stage = stage_of(name, Path(log))
    producer = Producer(kafka)
    service = host(stage, settings, producer, FileIncidents(Path(log).with_suffix(".incidents")), Clock())
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGTERM, lambda: asyncio.ensure_future(service.stop())
    )
    await service.run()
    await producer.stop()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(*sys.argv[1:]))
