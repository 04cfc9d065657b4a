"""The senders process: a stage that notes messages to be sent, and dispatchers that hand them over, until they are taken or
refused for good.

Noting is quick, so a slow server holds up no partition. A row says `sent` only after the other side took the message. What
that leaves: a dispatcher that dies, or whose connection is cut, between the other side's yes and the row hands the message
over again. Such a row is marked `unsure`, and the second copy has the same Message-ID, by which mail programs show one.
"""

from __future__ import annotations

import asyncio
import random
import time
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import structlog

from contracts.errors import Transient
from contracts.ids import workspace_id
from contracts.outbound import OutboundMessage
from contracts.topics import OUTBOUND, Topic
from runtime import metrics
from runtime.clock import Clock
from runtime.failpoints import failpoint
from runtime.postgres import Database
from runtime.settings import Settings
from runtime.stage import Batch, Done, Outcome, Stage
from sinks.postgres.cursor_store import Source
from sinks.postgres.delivery_store import Claimed, DeliveryStore
from sinks.postgres.source_store import SourceStore, State
from sinks.senders import SENDERS
from sinks.senders.transport import NotDelivered, Sender

PAUSES = (60, 300, 900, 1800, *[3600] * 4, *[4 * 3600] * 6, *[12 * 3600] * 7)
"""Seconds between the attempts; after the last one, five days in all (RFC 5321 4.5.4.1), the message is given up."""

_AT_ONCE = 4
_CLAIM = timedelta(seconds=600)
"""Longer than any attempt takes."""
_POLL_SECONDS = 0.5
_TRANSIENT_SECONDS = 1.0
OUTGOING = "outgoing"
"""The folder under which `frontdesk channels` shows a server that takes our mail."""

log = structlog.get_logger(__name__)


class Outgoing(Stage[OutboundMessage]):
    """Notes what is to be sent, each message once."""

    name: ClassVar[str] = "sinks"
    sources: ClassVar[tuple[Topic, ...]] = (OUTBOUND,)

    def __init__(self, database: Database) -> None:
        self._database = database
        self._store = DeliveryStore(database)

    async def start(self) -> None:
        await self._database.open()

    async def stop(self) -> None:
        await self._database.close()

    async def run(self, batch: Batch[OutboundMessage]) -> list[Outcome]:
        await self._store.add([delivery.message for delivery in batch])
        return [Done() for _ in batch]


class Dispatcher:
    """Hands over what is due for the workspaces of these settings. A service: `run` works until `stop`."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self._settings = settings
        self._workspaces = [workspace_id(slug) for slug in settings.workspaces]
        self._servers = {workspace_id(host.workspace): host.host for host in settings.smarthosts}
        self._states: dict[UUID, State] = {}
        self._database = database
        self._store = DeliveryStore(database)
        self._sources = SourceStore(database)
        self._clock = clock
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """What is being handed over at the end is finished first."""
        async with self._database:
            await asyncio.gather(*(self._work() for _ in range(_AT_ONCE)))

    async def stop(self) -> None:
        self._stopping.set()

    def senders(self) -> dict[str, Sender]:
        """One of each channel, for one task."""
        return {channel: build(self._settings) for channel, build in SENDERS.items()}

    async def _work(self) -> None:
        senders = self.senders()
        while not self._stopping.is_set():
            try:
                if await self.send_one(senders):
                    continue
                for sender in senders.values():
                    await sender.idle()
                await self._pause(_POLL_SECONDS * random.uniform(0.5, 1.0))
            except Transient as error:
                log.warning("senders wait", error=str(error))
                await self._pause(_TRANSIENT_SECONDS)
        for sender in senders.values():
            await sender.idle()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    async def send_one(self, senders: dict[str, Sender]) -> bool:
        """One message, to its end or to its next attempt; false if none is due. Raises `Transient` while Postgres is away."""
        now = self._clock.now()
        claimed = await self._store.claim(self._workspaces, now, now + _CLAIM)
        if claimed is None:
            return False
        began = time.monotonic()
        message = claimed.message
        try:
            sender = senders.get(message.channel)
            if sender is None:
                raise NotDelivered("no_sender", permanent=True)
            reply = await sender.send(message)
        except NotDelivered as error:
            await self._failed(claimed, error)
        else:
            failpoint("senders.after_send")
            await self._store.finish(claimed, "sent", None, reply, self._clock.now())
            await self._report(message.workspace, "connected", None)
            self._count(claimed, "sent", None)
        metrics.delivery_duration.labels(message.channel).observe(time.monotonic() - began)
        return True

    async def _failed(self, claimed: Claimed, error: NotDelivered) -> None:
        now = self._clock.now()
        if error.standing:
            state: State = "bad_credentials" if error.reason == "bad_credentials" else "transient_failure"
            await self._report(claimed.message.workspace, state, error.reason)
        elif claimed.message.channel == "email":
            await self._report(claimed.message.workspace, "connected", None)
        if error.permanent or claimed.attempts > len(PAUSES):
            await self._store.finish(claimed, "failed", error.reason, error.reply, now)
            self._count(claimed, "failed", error.reason)
            return
        pause = timedelta(seconds=PAUSES[claimed.attempts - 1])
        await self._store.postpone(claimed, error.reason, error.reply, error.unsure, now + pause)
        self._count(claimed, "postponed", error.reason)

    async def _report(self, workspace: UUID, state: State, reason: str | None) -> None:
        """How the server stands, when that has changed."""
        server = self._servers.get(workspace)
        if server is not None and self._states.get(workspace) != state:
            self._states[workspace] = state
            source = Source(workspace, "email", server, OUTGOING)
            await self._sources.report(source, state, reason, self._clock.now())

    def _count(self, claimed: Claimed, outcome: str, reason: str | None) -> None:
        metrics.deliveries.labels(claimed.message.channel, outcome).inc()
        log.info("delivery", outbound=str(claimed.message.outbound_id), outcome=outcome, reason=reason)
