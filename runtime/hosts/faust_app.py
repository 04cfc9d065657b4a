"""Faust, reduced to what consuming needs, and with the parts replaced that lose messages, time or the process.

- No web server, tables, producer, sensors, files or topics of its own.
- The original consumer spends two tasks and a cancellation on every message, and sleeps for a second when all buffers
  are full: half of its CPU time, and a rate of one buffer a second.
- The original crashes when a commit fails, and when no broker answers at the start.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from types import coroutine
from typing import Any

import faust
import structlog
import uvloop
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import ConsumerStoppedError, KafkaError
from faust.app.base import BootStrategy
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from mode.threads import WorkerThread

from runtime import metrics
from runtime.hosts.progress import Standing, pause_fused, standing
from runtime.hosts.secondary import Fetched, Secondary
from runtime.incidents import PartitionKey

_YIELD_EVERY = 100
_SHORT = 0.02
_LEAVE_SECONDS = 4

log = structlog.get_logger(__name__)


class App(faust.App):  # type: ignore[misc]
    """`fused`: partitions not to be fetched. `drained`: returns when nothing of the last assignment is at work.
    `secondary`: which topics wait for others. The broker answers a fetch when it has `fetch_bytes`, or `fetch_wait_ms` after it
    was asked."""

    def __init__(
        self,
        name: str,
        fused: Callable[[], set[PartitionKey]],
        drained: Callable[[], Awaitable[None]],
        secondary: Secondary,
        fetch_bytes: int,
        fetch_wait_ms: int,
        **options: Any,
    ) -> None:
        self.fused = fused
        self.drained = drained
        self.secondary = secondary
        self.fetch_bytes = fetch_bytes
        self.fetch_wait_ms = fetch_wait_ms
        super().__init__(
            name,
            web_enabled=False,
            store="memory://",
            topic_disable_leader=True,
            topic_allow_declare=False,
            reply_create_topic=False,
            stream_wait_empty=False,
            **options,
        )
        self.boot_strategy = BootStrategy(self, enable_kafka_producer=False, enable_sensors=False)

    def on_init_dependencies(self) -> Iterable[Any]:
        """Without the monitor, which would be called several times a message."""
        return self.boot_strategy.server()  # type: ignore[no-any-return]

    def _create_directories(self) -> None:
        """Only tables need them."""

    def _new_transport(self) -> Transport:
        return Transport(self.conf.broker_consumer, self)

    def _new_producer_transport(self) -> Transport:
        return Transport(self.conf.broker_producer, self)

    async def standing(self) -> Standing | None:
        """Of the assigned partitions; None while nobody knows."""
        if self.state != "running" or self._consumer is None:
            return None
        thread = self._consumer._thread
        return await thread.call_thread(standing, thread._ensure_consumer())  # type: ignore[no-any-return]


class _Worker(WorkerThread):  # type: ignore[misc]
    def __init__(self, service: Any) -> None:
        super().__init__(service)
        self.daemon = True

    def run(self) -> None:
        """A thread that was still connecting when the application's loop was closed has nobody left to tell."""
        try:
            super().run()
        except RuntimeError:
            if not self.service.parent_loop.is_closed():
                raise

    def stop(self) -> None:
        """Called in the event loop, which the original blocks until the thread has ended, if it ever does."""
        self.is_stopped.wait(1.0)


class _Thread(driver.AIOKafkaConsumerThread):  # type: ignore[misc]
    Worker = _Worker

    async def on_start(self) -> None:
        while not self.should_stop:
            if self.app.should_stop:
                # Faust forgets to stop a thread that has not started yet.
                self._stopped.set()
                return
            try:
                await super().on_start()
                return
            except (KafkaError, OSError) as error:
                log.warning("no broker", stage=self.app.conf.id, error=type(error).__name__)
                if self._consumer is not None:
                    await self._consumer.stop()
                await self.sleep(1)

    async def on_thread_stop(self) -> None:
        """aiokafka's `stop` may raise the cancellation of its own tasks when no broker answers; Faust would then wait
        for this thread in vain."""
        with contextlib.suppress(asyncio.CancelledError, KafkaError, TimeoutError):
            async with asyncio.timeout(_LEAVE_SECONDS):
                await super().on_thread_stop()

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        """Faust has no settings for these two."""
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_min_bytes, consumer._fetch_max_wait_ms = self.app.fetch_bytes, self.app.fetch_wait_ms
        return consumer

    async def _fetch_records(
        self, consumer: AIOKafkaConsumer, active_partitions: set[TP], timeout: float, max_records: int
    ) -> Fetched:
        pause_fused(consumer, self.app.fused())
        fetch = super()._fetch_records

        async def get(partitions: list[TP], seconds: float, at_most: int) -> Fetched:
            found: Fetched = await fetch(consumer, set(partitions), seconds, at_most)
            return found

        secondary: Secondary = self.app.secondary
        return await secondary.fetch(consumer, active_partitions, get, timeout, max_records)

    async def _commit(self, offsets: dict[TP, int]) -> bool:
        """A failed commit is tried again with the next; until then it only means redelivery."""
        mine = self.assignment()
        try:
            async with asyncio.timeout(5):
                await self._ensure_consumer().commit({tp: at for tp, at in offsets.items() if tp in mine})
        except (KafkaError, TimeoutError) as error:
            metrics.commits.labels(self.app.conf.id, "failed").inc()
            log.warning("commit failed", stage=self.app.conf.id, error=type(error).__name__)
            return False
        metrics.commits.labels(self.app.conf.id, "done").inc()
        return True


class _Consumer(driver.Consumer):  # type: ignore[misc]
    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._owed: dict[TP, int] = {}

    def _new_consumer_thread(self) -> _Thread:
        thread = _Thread(self, loop=self.loop, thread_loop=uvloop.new_event_loop(), beacon=self.beacon)
        # Nobody else will: it is ours only because the original makes slower ones.
        thread._close_thread_loop_on_stop = True
        return thread

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's own watchdog only logs; ours (`Progress`) acts."""

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Commits what is done first. Faust forgets it without, and its next owner does it once more."""
        self.stop_flow()
        self.app.flow_control.suspend()
        self.app.flow_control.clear()
        await self.app.drained()
        self.app.secondary.reset()
        await self.commit()
        self._owed = {}
        # What was full then is not full now; a stale entry would be fetched without being assigned.
        self._buffered_partitions.clear()
        await super().on_partitions_revoked(revoked)

    def _filter_committable_offsets(self, tps: Iterable[TP]) -> dict[TP, int]:
        offsets: dict[TP, int] = super()._filter_committable_offsets(tps)
        return self._owed | offsets

    async def _commit(self, offsets: dict[TP, int]) -> bool:
        done: bool = await self._thread.commit(offsets)
        # Faust takes them for committed in any case.
        self._owed = {} if done else dict(offsets)
        return done

    async def _wait_next_records(self, timeout: float) -> tuple[Any, set[TP]]:
        if not self.flow_active:
            await self.wait(self.can_resume_flow)
        wanted = set(self._get_active_partitions())
        if not wanted:
            await self.sleep(_SHORT)
            return {}, wanted
        # A partition whose buffer empties in the meantime must not wait for records of the others.
        patience = _SHORT if self._buffered_partitions else timeout
        return await self._getmany(active_partitions=wanted, timeout=patience), wanted

    async def _drain_messages(self, fetcher: Any) -> None:
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):
                await asyncio.sleep(0)
                taken = 0
                async for tp, message in self.getmany(timeout=1.0):
                    taken += 1
                    if not taken % _YIELD_EVERY:
                        await asyncio.sleep(0)
                    await self._deliver(tp, message)
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not self.app.should_stop:
                raise

    async def _deliver(self, tp: TP, message: Message) -> None:
        """As in the original, but for the callback: a step of our own, and tasks only when it has to wait."""
        read = self._read_offset[tp]
        if read is not None and message.offset < read:
            return
        if read and message.offset - read > 1 and self.app.topics.acks_enabled_for(message.topic):
            await self._add_gap(tp, read + 1, message.offset)
        delivery = self.callback(message)
        try:
            waited = delivery.send(None)
        except StopIteration:
            pass
        else:
            await self.wait_first(_finished(delivery, waited), self.suspend_flow.wait())
        self._read_offset[tp] = message.offset


class Transport(driver.Transport):  # type: ignore[misc]
    Consumer = _Consumer


async def _finished(work: Coroutine[Any, Any, None], waited: Any) -> None:
    await _rest(work, waited)


@coroutine
def _rest(work: Coroutine[Any, Any, None], waited: Any) -> Generator[Any, Any, None]:
    """What is left of a coroutine that was started by hand and now waits for `waited`."""
    try:
        while True:
            try:
                sent = yield waited
            except BaseException as error:
                waited = work.throw(error)
            else:
                waited = work.send(sent)
    except StopIteration:
        return
