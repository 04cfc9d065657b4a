"""Calls that rules make to other systems: signed, tried again for a day, and only to addresses that may be reached.

`POST` of a JSON object: `call_id`, `webhook`, `occurred_at`, `cause`, `ticket` (as in `frontdesk.ticket.v1`). Header
`Frontdesk-Signature: t=1763647200,v1=<hex>` holds the HMAC-SHA256 of `<t>.<body>` under the webhook's secret; refuse a `t` that
is more than five minutes old. The same `call_id` may come twice: a call that was answered after our patience, or whose answer
was lost, is made again. An answer 2xx settles it; 410 ends it; everything else, also a redirect, is tried again.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

import httpcore

from contracts.ids import workspace_id
from runtime import metrics
from runtime.clock import Clock
from runtime.postgres import Database
from runtime.reach import Network, Reach, Unfetchable
from runtime.settings import Settings
from sinks.periodic import Periodic
from sinks.postgres.sql import columns, queries

_SECONDS = 1.0
_MOST = 20
_PATIENCE = 10.0
_LEASE = timedelta(seconds=60)
_FIRST_PAUSE = timedelta(seconds=10)
_LONGEST_PAUSE = timedelta(hours=3)
MAX_ATTEMPTS = 16
"""About a day and a half, with the pause doubled each time up to three hours."""
_KEPT = timedelta(days=30)
_FORGETS_EACH = timedelta(hours=1)
_GONE = 410


class Call(NamedTuple):
    """A call that is due."""

    workspace: UUID
    call: UUID
    webhook: str
    url: str
    body: str
    attempts: int


class Settled(NamedTuple):
    """What became of it; one that waits is due again at that time."""

    workspace: UUID
    call: UUID
    state: str
    outcome: str
    due: datetime


class Webhooks(Periodic):
    """A service. Several may run: each call is leased to one of them. `network` is the test suite's."""

    def __init__(
        self, database: Database, settings: Settings, clock: Clock, network: Network | None = None
    ) -> None:
        super().__init__(_SECONDS)
        self._database = database
        self._clock = clock
        self._forgot = datetime.min.replace(tzinfo=UTC)
        self._reach = Reach(settings.webhook_origins)
        self._secrets = {
            (workspace_id(known.workspace), known.webhook): known.secret.encode()
            for known in settings.webhooks
        }
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=_MOST,
            max_keepalive_connections=0,
            network_backend=network or Network(self._reach),
        )

    async def run(self) -> None:
        async with self._database, self._pool:
            await super().run()

    async def tick(self) -> None:
        """Makes all calls that are due, side by side."""
        while calls := await self._leased():
            settled = await asyncio.gather(*map(self._make, calls))
            await self._settle(settled)
            if len(calls) < _MOST:
                break

    async def _leased(self) -> list[Call]:
        now = self._clock.now()
        async with self._database.transaction([]) as connection:
            if now - self._forgot >= _FORGETS_EACH:
                await connection.execute(queries("rules")["forget_webhook_calls"], {"before": now - _KEPT})
                self._forgot = now
            parameters = {"now": now, "until": now + _LEASE, "most": _MOST}
            cursor = await connection.execute(queries("rules")["lease_webhook_calls"], parameters)
            return [Call(*row) for row in await cursor.fetchall()]

    async def _settle(self, settled: Sequence[Settled]) -> None:
        names = ("workspaces", "calls", "states", "outcomes", "due")
        async with self._database.transaction([]) as connection:
            await connection.execute(
                queries("rules")["settle_webhook_calls"], columns(names, sorted(settled))
            )
        for one in settled:
            metrics.webhook_calls.labels("again" if one.state == "waiting" else one.state).inc()

    async def _make(self, call: Call) -> Settled:
        now = self._clock.now()
        try:
            async with asyncio.timeout(_PATIENCE):
                status = await self._post(call, now)
        except Unfetchable as error:
            return Settled(call.workspace, call.call, "failed", f"refused: {error.reason}", now)
        except (
            TimeoutError,
            httpcore.NetworkError,
            httpcore.TimeoutException,
            httpcore.ProtocolError,
        ) as error:
            return self._again(call, type(error).__name__)
        if 200 <= status < 300:
            return Settled(call.workspace, call.call, "delivered", f"http {status}", now)
        if status == _GONE:
            return Settled(call.workspace, call.call, "failed", f"http {status}", now)
        return self._again(call, f"http {status}")

    def _again(self, call: Call, outcome: str) -> Settled:
        state = "failed" if call.attempts >= MAX_ATTEMPTS else "waiting"
        pause = min(_FIRST_PAUSE * 2 ** (call.attempts - 1), _LONGEST_PAUSE)
        return Settled(call.workspace, call.call, state, outcome, self._clock.now() + pause)

    async def _post(self, call: Call, now: datetime) -> int:
        secret = self._secrets.get((call.workspace, call.webhook))
        if secret is None:
            raise Unfetchable("refused", "no secret")
        url = self._reach.checked(call.url, [urlsplit(call.url).hostname or ""])
        body, at = call.body.encode(), int(now.timestamp())
        headers = [
            ("content-type", "application/json"),
            ("user-agent", "frontdesk"),
            ("frontdesk-call", str(call.call)),
            ("frontdesk-signature", f"t={at},v1={signature(secret, at, body)}"),
        ]
        # The answer's body says nothing that we want to know, and may be endless.
        async with self._pool.stream("POST", url, headers=headers, content=body) as reply:
            return reply.status


def signature(secret: bytes, at: int, body: bytes) -> str:
    """Hex of what a receiver compares with, in constant time."""
    return hmac.digest(secret, f"{at}.".encode() + body, "sha256").hex()
