"""The media process: a stage that notes the files of messages, and fetchers that work through what is noted.

Noting is quick, so a slow provider holds up no partition. A fetched file is in the archive before its row says so; a fetcher
that dies leaves a claim that ends, and the same bytes archived twice are one file.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import ClassVar
from uuid import UUID

import structlog

from contracts.errors import Transient
from contracts.ids import sha256_hex, workspace_id
from contracts.inbound import InboundMessage, Kind
from contracts.topics import INBOUND, OVERFLOW, Topic
from ingest.channel import Access, channels
from ingest.media.content import type_of
from ingest.media.download import Downloader
from runtime import metrics
from runtime.clock import Clock
from runtime.failpoints import failpoint
from runtime.postgres import Database
from runtime.reach import Unfetchable
from runtime.settings import Settings
from runtime.stage import Batch, Done, Outcome, Stage
from runtime.tasks import side_by_side
from sinks.archive import Archive
from sinks.postgres import media_store
from sinks.postgres.media_store import Claimed, MediaStore, Wanted

PAUSES = (5, 15, 60, 300, 900, 3600, 4 * 3600)
"""Seconds between the attempts; after the last one the file is given up."""

_KINDS: frozenset[Kind] = frozenset({"message", "echo", "edit"})
_AT_ONCE = 4
_CLAIM = timedelta(seconds=120)
_POLL_SECONDS = 1.0
_TRANSIENT_SECONDS = 1.0

Account = tuple[UUID, str, str]
"""Workspace, channel, account."""

log = structlog.get_logger(__name__)


class Media(Stage[InboundMessage]):
    """Notes every attachment that is not archived yet. What cannot be read is identity's to park."""

    name: ClassVar[str] = "media"
    sources: ClassVar[tuple[Topic, ...]] = (INBOUND, OVERFLOW)
    parks: ClassVar[bool] = False

    def __init__(self, database: Database) -> None:
        self._database = database
        self._store = MediaStore(database)

    async def start(self) -> None:
        await self._database.open()

    async def stop(self) -> None:
        await self._database.close()

    async def run(self, batch: Batch[InboundMessage]) -> list[Outcome]:
        await self._store.add([one for delivery in batch for one in _wanted(delivery.message)])
        return [Done() for _ in batch]


def _wanted(message: InboundMessage) -> Iterator[Wanted]:
    if message.kind not in _KINDS:
        return
    for place, file in enumerate(message.attachments):
        if file.provider_ref and not file.ref:
            yield Wanted(
                message.workspace,
                message.message_id,
                place,
                message.channel,
                message.account,
                file.provider_ref,
                file.type,
                message.received_at,
            )


class Fetcher:
    """Fetches what is due for the workspaces of these settings, a few files at a time. A service: `run` works until
    `stop`."""

    def __init__(
        self, settings: Settings, database: Database, archive: Archive, clock: Clock, downloader: Downloader
    ) -> None:
        self._workspaces = [workspace_id(slug) for slug in settings.workspaces]
        self._access = accesses(settings)
        self._apis = _apis(settings)
        self._database = database
        self._store = MediaStore(database)
        self._archive = archive
        self._clock = clock
        self._downloader = downloader
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """What is under way at the end is fetched again by whoever claims it next."""
        async with self._database:
            try:
                await side_by_side(self._stopping.wait(), *(self._work() for _ in range(_AT_ONCE)))
            finally:
                await self._downloader.close()

    async def stop(self) -> None:
        self._stopping.set()

    async def _work(self) -> None:
        """For ever."""
        while True:
            try:
                if not await self.fetch_one():
                    await asyncio.sleep(_POLL_SECONDS * random.uniform(0.5, 1.0))
            except Transient as error:
                log.warning("media waits", error=str(error))
                await asyncio.sleep(_TRANSIENT_SECONDS)

    async def fetch_one(self) -> bool:
        """One file, to its end or to its next attempt; false if none is due. Raises `Transient` while Postgres or the
        archive is away."""
        now = self._clock.now()
        claimed = await self._store.claim(self._workspaces, now, now + _CLAIM)
        if claimed is None:
            return False
        if claimed.attempts > len(PAUSES) + 1:
            # The last attempts ended with their process.
            await self._finish(claimed, media_store.Outcome("failed", "interrupted"))
            return True
        began = time.monotonic()
        try:
            content = await self._content(claimed)
        except Unfetchable as error:
            await self._finish(claimed, media_store.Outcome(error.state, error.reason))
        except Transient as error:
            await self._postpone(claimed, error)
        else:
            digest = sha256_hex(content)
            await self._archive.put({digest: content})
            failpoint("media.after_archive")
            outcome = media_store.Outcome("fetched", None, digest, type_of(content), len(content))
            await self._finish(claimed, outcome)
        metrics.media_duration.labels(claimed.channel).observe(time.monotonic() - began)
        return True

    async def _content(self, claimed: Claimed) -> bytes:
        channel = channels().get(claimed.channel)
        if channel is None:
            raise Unfetchable("refused", "channel")
        fallback = Access(api=self._apis.get(claimed.channel, ""))
        access = self._access.get((claimed.workspace, claimed.channel, claimed.account), fallback)
        return await self._downloader.fetch(channel, claimed.provider_ref, access, claimed.declared_type)

    async def _finish(self, claimed: Claimed, outcome: media_store.Outcome) -> None:
        await self._store.finish(claimed, outcome, self._clock.now())
        metrics.media.labels(claimed.channel, outcome.state).inc()
        log.info(
            "media",
            message=str(claimed.message_id),
            state=outcome.state,
            reason=outcome.reason,
            size=outcome.size,
        )

    async def _postpone(self, claimed: Claimed, error: Transient) -> None:
        reason = str(error)
        if claimed.attempts > len(PAUSES):
            await self._finish(claimed, media_store.Outcome("failed", reason))
            return
        pause = max(PAUSES[claimed.attempts - 1], min(error.retry_after or 0, PAUSES[-1]))
        await self._store.postpone(claimed, reason, self._clock.now() + timedelta(seconds=pause))
        metrics.media.labels(claimed.channel, "postponed").inc()
        log.info("media later", message=str(claimed.message_id), reason=reason, seconds=pause)


def accesses(settings: Settings) -> Mapping[Account, Access]:
    """What opens the files of each account, as far as these settings say."""
    apis = _apis(settings)
    tokens = [(bot.workspace, "telegram", bot.account, bot.token) for bot in settings.bots]
    tokens += [(hook.workspace, hook.channel, hook.account, hook.token) for hook in settings.hooks]
    return {
        (workspace_id(slug), channel, account): Access(token, apis.get(channel, ""))
        for slug, channel, account, token in tokens
    }


def _apis(settings: Settings) -> dict[str, str]:
    return {"telegram": settings.telegram_api, "whatsapp": settings.graph_api}
