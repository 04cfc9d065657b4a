"""The default host: a Faust worker inside our own event loop, with one agent that does nothing but wait for the guard.

Faust keeps the group membership, the assignment and the acknowledged offsets (`runtime/hosts/faust_app.py`). An
exception that leaves an agent acknowledges what it was about, so none leaves this one: the process ends before.
`Stream.take` acknowledges in a `finally`, and ticks instead of gathering: batches are taken from the channel's queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterable
from typing import Any

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.types import EventT
from yarl import URL

from runtime import metrics
from runtime.guard import EXIT_FAULT, Guard
from runtime.hosts.base import DRAIN_SECONDS, KafkaHost
from runtime.hosts.faust_app import App
from runtime.hosts.progress import METADATA_MS, PARTITION_BYTES, Standing, fetch_bytes
from runtime.incidents import Incidents
from runtime.settings import Settings
from runtime.stage import Record, Stage

SESSION, HEARTBEAT, REBALANCE = 10.0, 3.0, 30.0
_STOP_SECONDS = 9.0

log = structlog.get_logger(__name__)


class FaustHost(KafkaHost):
    """One Faust application for one stage: consumer group, worker id and agent are called like it."""

    def __init__(
        self, stage: Stage[Any], settings: Settings, guard: Guard[Any], incidents: Incidents
    ) -> None:
        super().__init__(stage, settings, guard, incidents)
        self._app: App | None = None

    async def _consume(self) -> None:
        for name in ("faust", "mode"):
            logging.getLogger(name).setLevel(logging.ERROR)
        while not self._stopping.is_set():
            await self._work()

    def _consumes(self) -> bool:
        return self._app is not None and self._app.state == "running" and not self._app.rebalancing

    async def _work(self) -> None:
        """One application's life: until asked to stop, or until Faust gave up."""
        app = self._app = self._application()
        working = asyncio.create_task(_until_crashed(app))
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        with contextlib.suppress(TimeoutError):
            # Before the application stops, for it cancels its agents and commits what they acknowledged.
            await asyncio.wait_for(self._idle.wait(), DRAIN_SECONDS)
        leaving = asyncio.create_task(app.stop())
        # Not `wait_for`, which waits for what it cancels: Faust's services ignore that.
        done, _ = await asyncio.wait([leaving], timeout=_STOP_SECONDS)
        for task in (working, stopping, leaving):
            task.cancel()
        await asyncio.wait([working, stopping])
        if not self._stopping.is_set():
            self._gave_up(app.crash_reason if done else None)
            await asyncio.sleep(1)

    def _gave_up(self, reason: BaseException | None) -> None:
        """A broker that is away is waited for; whatever else ended the application may have left it anyhow."""
        log.error("faust gave up", stage=self._stage.name, error=type(reason).__name__)
        if not isinstance(reason, KafkaError | OSError | TimeoutError):
            os._exit(EXIT_FAULT)

    def _application(self) -> App:
        settings = self._settings
        app = App(
            self._stage.name,
            lambda: self._progress.fused,
            self._drained,
            self._secondary,
            fetch_bytes(self._stage),
            settings.fetch_wait_ms,
            broker=[URL(f"kafka://{server}") for server in settings.kafka.split(",")],
            consumer_auto_offset_reset="earliest",
            consumer_group_instance_id=settings.instance or None,
            consumer_max_fetch_size=PARTITION_BYTES,
            consumer_metadata_max_age_ms=METADATA_MS,
            broker_session_timeout=SESSION,
            broker_heartbeat_interval=HEARTBEAT,
            broker_rebalance_timeout=REBALANCE,
            broker_max_poll_interval=300.0,
            broker_commit_interval=1.0,
            broker_max_poll_records=settings.batch,
            stream_buffer_maxsize=2 * settings.batch,
        )
        source = app.topic(
            *(topic.name for topic in self._stage.sources),
            key_type=bytes,
            key_serializer="raw",
            value_type=bytes,
            value_serializer="raw",
            allow_empty=True,
        )
        app.agent(source, name=self._stage.name, concurrency=1)(self._serve)
        return app

    async def _serve(self, stream: faust.Stream[bytes]) -> None:
        """The agent. It leaves only when the application stops, which acknowledges nothing."""
        try:
            while True:
                if events := await self._batch(stream.channel.queue):
                    await self._process(events)
        except StopAsyncIteration:
            return
        except Exception as error:
            log.error("agent failed", stage=self._stage.name, error=type(error).__name__, exc_info=error)
            os._exit(EXIT_FAULT)

    async def _batch(self, queue: asyncio.Queue[EventT[bytes]]) -> list[EventT[bytes]]:
        """What is there. The broker gathered it."""
        first = await queue.get()
        rest = min(queue.qsize(), self._settings.batch - 1)
        return self._current([first, *(queue.get_nowait() for _ in range(rest))])

    def _current(self, events: Iterable[EventT[bytes]]) -> list[EventT[bytes]]:
        """Without what was fetched before the last rebalance: it is fetched again, here or elsewhere."""
        app = self._app
        if app is None or self._stopping.is_set() or not app.flow_control.is_active():
            return []
        return [event for event in events if event.message.generation_id == app.consumer_generation_id]

    async def _process(self, events: list[EventT[bytes]]) -> None:
        records = [_record(event.message) for event in events]
        self._idle.clear()
        try:
            self._progress.began(records)
            await self._guard.process(records)
            self._progress.processed(records)
            for event in events:
                # An offset of an earlier assignment says nothing about what the partition's next owner did.
                if self._app is not None and event.message.generation_id == self._app.consumer_generation_id:
                    event.ack()
        finally:
            self._idle.set()

    async def _drained(self) -> None:
        """Waits a while for the batch in flight, so that its partitions move on with their offsets committed."""
        self._progress.rebalanced()
        metrics.rebalances.labels(self._stage.name).inc()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), DRAIN_SECONDS)

    async def _standing(self) -> Standing | None:
        return await self._app.standing() if self._app is not None else None


def _record(message: Any) -> Record:
    return Record(
        message.topic,
        message.partition,
        message.offset,
        message.key,
        message.value,
        tuple(message.headers),
        round(message.timestamp * 1000),
    )


async def _until_crashed(app: faust.App) -> None:
    """Returns when the application has crashed; a failure of its start is one."""
    try:
        await app.start()
        await app.wait_until_stopped()
    except Exception as error:
        app.crash_reason = app.crash_reason or error
