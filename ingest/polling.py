"""What fetches from elsewhere: one reader a source, kept alive by leases and back-off. The cursor moves only after Kafka's
acknowledgement, so a source that is read twice costs duplicates, never messages."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence

import structlog

from contracts.errors import Refused, Transient
from contracts.workspace import Account, Workspace
from ingest.accounts import Accounts
from ingest.channel import Channel, Raw
from ingest.form_guard import Rate
from ingest.intake import Intake
from ingest.lanes import Lanes
from runtime import metrics
from runtime.clock import Clock
from runtime.health import Health
from runtime.kafka import Producer
from runtime.postgres import Database
from runtime.settings import Settings
from runtime.tasks import side_by_side
from sinks.archive import archive_of
from sinks.postgres.config_store import ConfigStore, WorkspaceCache
from sinks.postgres.cursor_store import CursorStore, Lease, Source, lease
from sinks.postgres.source_store import STATES, SourceStore, State

_LOOK_AGAIN_SECONDS = 3.0
_CONFIGURATION_SECONDS = 0.1
_TOLD_SECONDS = 30.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0


class BadCredentials(Transient):
    """The source does not know us: only a person can mend that, but they may do so at any time."""


log = structlog.get_logger(__name__)


class Parts:
    """What every reader holds. No spool: what is not acknowledged stays at the source."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = Clock(settings.clock)
        self.database = Database(settings.postgres)
        self.producer = Producer(settings.kafka)
        archive = archive_of(settings)
        self._lanes = Lanes(settings.kafka, Rate(settings.sender_burst, settings.sender_per_second))
        self.intake = Intake(self.producer, archive, None, self.clock, settings.reply_secrets, self._lanes)
        self.accounts = Accounts(settings, WorkspaceCache(ConfigStore(self.database), self.clock))
        self.cursors = CursorStore(self.database)
        self._sources = SourceStore(self.database)
        self._told: dict[Source, tuple[State, float]] = {}

    async def keep_up(self) -> None:
        """For ever: what has to be known of configuration and lanes."""
        await side_by_side(self.accounts.keep_fresh(), self._lanes.run())

    async def take(self, channel: Channel, raw: Raw) -> None:
        """Returns when it is durable. What the door would refuse is parked: nobody is there to correct it."""
        try:
            await self.intake.accept(channel, raw)
        except Refused as error:
            await self.intake.park(channel, raw, error.reason, error.detail)

    async def report(self, source: Source, state: State, reason: str | None = None) -> None:
        """Tells people and metrics how a source stands. A reader goes on when that cannot be stored."""
        for each in STATES:
            metrics.connector_state.labels(source.channel, source.account, source.folder, each).set(
                each == state
            )
        metrics.connector_up.labels(source.channel, source.account).set(state == "connected")
        if state == "connected":
            metrics.connector_last_success.labels(source.channel, source.account).set_to_current_time()
        before, at = self._told.get(source, (None, 0.0))
        if state == before and time.monotonic() - at < _TOLD_SECONDS:
            return
        self._told[source] = (state, time.monotonic())
        with contextlib.suppress(Transient):
            await self._sources.report(source, state, reason, self.clock.now())

    def account(self, channel: str, workspace: str, account: str) -> tuple[Workspace, Account]:
        """The configured account and its workspace; `Transient` until there is one."""
        found = self.accounts.find(channel, f"{workspace}:{account}")
        if found is None:
            raise Transient(f"no {channel} account {account!r} in the configuration")
        return found


class Reader(ABC):
    """Reads one source."""

    source: Source

    @abstractmethod
    async def read(self, held: Lease) -> None:
        """For ever. Raises `Transient` or `OSError` when the source must be connected to again."""


class PollingService(ABC):
    """A process that runs its readers side by side. Ready means that the configuration is known."""

    def __init__(self, settings: Settings) -> None:
        self._parts = Parts(settings)
        self._stopping = asyncio.Event()

    @abstractmethod
    def readers(self, parts: Parts) -> Sequence[Reader]:
        """One for each configured source."""

    def report(self, health: Health) -> None:
        health.ready_checks["accounts"] = self._parts.accounts.check

    async def run(self) -> None:
        """Until `stop`; ends with the error of a reader that failed for a reason nobody named."""
        parts = self._parts
        async with parts.database:
            await parts.producer.start()
            work = [self._read(reader) for reader in self.readers(parts)]
            try:
                await side_by_side(self._stopping.wait(), parts.keep_up(), *work)
            finally:
                await parts.producer.stop()

    async def _read(self, reader: Reader) -> None:
        while not self._parts.accounts.loaded:
            await asyncio.sleep(_CONFIGURATION_SECONDS)
        await keep_reading(reader, self._parts)

    async def stop(self) -> None:
        """What is under way stays at its source, unacknowledged."""
        self._stopping.set()


async def keep_reading(reader: Reader, parts: Parts) -> None:
    """For ever: takes the lease, reads, and begins again after a pause that grows with failures in a row."""
    source, pause, reported = reader.source, _FIRST_PAUSE, False
    while True:
        began = time.monotonic()
        try:
            async with lease(parts.settings.postgres, source) as held:
                if held is None:
                    await asyncio.sleep(_LOOK_AGAIN_SECONDS)
                    continue
                if not reported:
                    await parts.report(source, "starting")
                    reported = True
                await reader.read(held)
        except (Transient, OSError) as error:
            state: State = "bad_credentials" if isinstance(error, BadCredentials) else "transient_failure"
            metrics.connector_reconnects.labels(source.channel, source.account, type(error).__name__).inc()
            log.warning("source lost", channel=source.channel, account=source.account, error=str(error))
            await parts.report(source, state, str(error))
            asked = error.retry_after if isinstance(error, Transient) else None
            await asyncio.sleep(asked or 0)
            if state == "bad_credentials":
                # Providers lock accounts that somebody tries again and again.
                pause = _LONGEST_PAUSE
        if time.monotonic() - began > _LONGEST_PAUSE:
            pause = _FIRST_PAUSE
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(pause * 2, _LONGEST_PAUSE)
