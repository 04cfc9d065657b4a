"""The load: forms into `Intake.accept` in this process, and the ticket events that come out at the other end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import TypeVar
from uuid import UUID

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import TICKET
from ingest.channel import Raw, channels
from ingest.intake import Intake
from runtime.clock import Clock
from runtime.kafka import Producer, end_offsets
from runtime.settings import Settings
from sinks.archive import FolderArchive
from tests.bench.forms import ACCOUNT, WORKSPACE, Form

T = TypeVar("T")

AT_ONCE = 300
_LONGEST = 180.0


class _Cause(msgspec.Struct):
    message_id: UUID | None = None


class _Event(msgspec.Struct):
    cause: _Cause


@dataclass(frozen=True, slots=True)
class Passage:
    """When a form's `accept` began, and when its ticket event was read; seconds of one clock."""

    accepted: float
    seen: float


class Load:
    """One intake and one reader of the ticket topic, as `async with`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = Producer(settings.kafka)
        self._intake = Intake(self._producer, FolderArchive(settings.archive), None, Clock())
        self._channel = channels()["webform"]
        self._seen: dict[UUID, float] = {}
        self._news = asyncio.Event()

    async def __aenter__(self) -> Load:
        await self._producer.start()
        ends = await end_offsets(self._settings.kafka, [TICKET])
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._settings.kafka, group_id=None, enable_auto_commit=False
        )
        await self._consumer.start()
        self._consumer.assign([TopicPartition(*at) for at in ends])
        for at, end in ends.items():
            self._consumer.seek(TopicPartition(*at), end)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._consumer.stop()
        await self._producer.stop()

    async def accept(self, forms: Iterable[Form]) -> dict[UUID, float]:
        """All of them, a few hundred at a time. Returns when each one's `accept` began."""
        began: dict[UUID, float] = {}
        waiting = iter(forms)

        async def one_after_the_other() -> None:
            for form in waiting:
                began[form.message] = await self._accept(form)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(one_after_the_other())
        return began

    async def burst(self, forms: Sequence[Form]) -> float:
        """Messages a second, from the first `accept` to the last ticket event."""
        passages = await self.passages(await self.accept(forms))
        return len(forms) / (max(p.seen for p in passages) - min(p.accepted for p in passages))

    async def steady(self, forms: Sequence[Form], per_second: float) -> list[float]:
        """Seconds from `accept` to ticket event of each form, sent on a fixed schedule whatever becomes of the others."""
        began: dict[UUID, float] = {}

        async def send(form: Form) -> None:
            began[form.message] = await self._accept(form)

        start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number, form in enumerate(forms):
                await asyncio.sleep(max(0.0, start + number / per_second - time.monotonic()))
                group.create_task(send(form))
        return [p.seen - p.accepted for p in await self.passages(began)]

    async def passages(self, began: dict[UUID, float]) -> list[Passage]:
        """Waits until all their events are read. Raises `TimeoutError` when some never come."""
        async with asyncio.timeout(_LONGEST):
            while not began.keys() <= self._seen.keys():
                self._news.clear()
                await self._news.wait()
        return [Passage(at, self._seen[message]) for message, at in began.items()]

    async def _accept(self, form: Form) -> float:
        began = time.monotonic()
        raw = Raw(
            body=form.body,
            workspace=WORKSPACE,
            account=ACCOUNT,
            received_at=datetime.now(UTC),
            content_type="application/json",
            headers={"idempotency-key": form.key},
            store="north",
            region="PL",
        )
        receipt = await self._intake.accept(self._channel, raw)
        assert receipt.message_ids == (form.message,)
        return began

    async def _read(self) -> None:
        decode = msgspec.json.Decoder(_Event).decode
        while True:
            found = await self._consumer.getmany(timeout_ms=500)
            now = time.monotonic()
            for records in found.values():
                for record in records:
                    if (message := decode(record.value).cause.message_id) is not None:
                        self._seen.setdefault(message, now)
            self._news.set()


def with_load(settings: Settings, work: Callable[[Load], Awaitable[T]]) -> T:
    """Does the work with a load of its own, in the event loop that the gateway uses."""

    async def main() -> T:
        async with Load(settings) as load:
            return await work(load)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())
