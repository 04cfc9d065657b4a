"""Telegram by long poll (https://core.telegram.org/bots/api#getupdates). The only importer of telegram.

The cursor is Telegram's own: `offset` confirms what lies before it, and is given only after Kafka's acknowledgement. None is
kept here, since update ids begin anew at a random number after a week of silence: an old one would then drop updates.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec
import structlog
from telegram.error import Conflict, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from contracts.errors import Transient
from contracts.ids import workspace_id
from contracts.workspace import Account
from ingest.accounts import options
from ingest.channel import Channel, Raw, channels
from ingest.channels.telegram import UPDATES
from ingest.polling import Parts, PollingService, Reader
from runtime import trace
from runtime.failpoints import failpoint
from runtime.settings import Bot
from sinks.postgres.cursor_store import Lease, Source

_CHANNEL = "telegram"
_POLL_SECONDS = 50
_READ_SECONDS = 60.0
_WANTED = msgspec.json.encode(UPDATES).decode()

log = structlog.get_logger(__name__)


class TelegramService(PollingService):
    """All bots that are configured to be polled."""

    def readers(self, parts: Parts) -> Sequence[Reader]:
        return [BotReader(parts, channels()[_CHANNEL], bot) for bot in parts.settings.bots if bot.poll]


class BotReader(Reader):
    """One bot."""

    def __init__(self, parts: Parts, channel: Channel, bot: Bot) -> None:
        self.source = Source(workspace_id(bot.workspace), _CHANNEL, bot.account)
        self._parts = parts
        self._channel = channel
        self._bot = bot
        self._options: Mapping[str, str] = {}

    async def read(self, held: Lease) -> None:
        config, account = self._parts.account(_CHANNEL, self._bot.workspace, self._bot.account)
        self._options = options(config, account)
        offset: int | None = None
        async with HTTPXRequest() as requests:
            while True:
                updates = await self._updates(requests, offset)
                await asyncio.gather(*(self._take(update, account) for update in updates))
                if updates:
                    failpoint("telegram.after_produce")
                offset = int(updates[-1]["update_id"]) + 1 if updates else None
                await held.check()
                await self._parts.report(self.source, "connected")

    async def _updates(self, requests: HTTPXRequest, offset: int | None) -> list[dict[str, Any]]:
        """At most 100 unconfirmed updates, after a wait; as JSON, since the library's objects drop unknown fields."""
        asked: dict[str, Any] = {"timeout": _POLL_SECONDS, "allowed_updates": _WANTED}
        if offset is not None:
            asked["offset"] = offset
        try:
            found: list[dict[str, Any]] = await self._asked(requests, "getUpdates", asked)
            return found
        except Conflict as error:
            # Either a webhook is set, which we may remove, or somebody else polls, whom we cannot stop.
            if "webhook" not in error.message.lower():
                raise Transient("telegram: another poller") from None
        log.warning("webhook removed", account=self._bot.account)
        await self._asked(requests, "deleteWebhook", {})
        return []

    async def _asked(self, requests: HTTPXRequest, method: str, arguments: dict[str, Any]) -> Any:
        """The result. An error's text can hold the token: only its type is passed on."""
        base = self._parts.settings.telegram_api
        url = f"{base}/bot{self._bot.token}/{method}?{urlencode(arguments)}"
        try:
            return await requests.post(url, read_timeout=_READ_SECONDS)
        except Conflict:
            raise
        except RetryAfter as error:
            wait = error.retry_after
            seconds = wait.total_seconds() if isinstance(wait, timedelta) else wait
            raise Transient("telegram: asked to wait", retry_after=seconds) from None
        except TelegramError as error:
            raise Transient(f"telegram: {type(error).__name__}") from None

    async def _take(self, update: dict[str, Any], account: Account) -> None:
        # Sorted: an update that is sent again must be the same bytes.
        body = msgspec.json.encode(update, order="sorted")
        raw = Raw(
            body=body,
            workspace=self.source.workspace,
            account=self.source.account,
            received_at=self._parts.clock.now(),
            content_type="application/json",
            store=account.store,
            region=account.region,
            options=self._options,
            trace=trace.new(),
        )
        await self._parts.take(self._channel, raw)
