"""One Idempotency-Key, one body (IETF draft `idempotency-key-header`): the same key with another body is answered 422.

Seen keys are remembered in memory; older ones are looked up among the stored messages, many in one query. While Postgres
is away nothing is looked up: the router parks a reused id all the same.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from uuid import UUID

from contracts.errors import Refused, Transient
from contracts.inbound import InboundMessage
from runtime.postgres import Database
from sinks.postgres import ticket_store

KEY_REUSED = "idempotency_key_reused"
"""The reason of the refusal."""

_REMEMBERED = 100_000
_GATHER_SECONDS = 0.003
_TIMEOUT = 0.5
_AWAY_SECONDS = 5.0


class Idempotency:
    """Of one door."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._seen: OrderedDict[UUID, str] = OrderedDict()
        self._wanted: dict[UUID, tuple[UUID, asyncio.Future[str | None]]] = {}
        self._looking: asyncio.Task[None] | None = None
        self._away_until = 0.0

    async def check(self, message: InboundMessage) -> None:
        """Raises `Refused` (422) when this key came with another body before."""
        body = message.raw.sha256 if message.raw else ""
        known = self._seen.get(message.message_id)
        if known is None:
            # Claimed before the look-up: of two calls at once with different bodies, one is refused.
            self._remember(message.message_id, body)
            known = await self._stored(message)
            if known is not None:
                self._remember(message.message_id, known)
        if known is not None and known != body:
            raise Refused(
                KEY_REUSED,
                "this key was used with another body; use a new key",
                status=422,
                field="Idempotency-Key",
            )

    def _remember(self, message: UUID, body: str) -> None:
        self._seen[message] = body
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    async def _stored(self, message: InboundMessage) -> str | None:
        if time.monotonic() < self._away_until:
            return None
        if message.message_id not in self._wanted:
            future: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
            self._wanted[message.message_id] = (message.workspace, future)
        future = self._wanted[message.message_id][1]
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_up())
        return await future

    async def _look_up(self) -> None:
        while self._wanted:
            await asyncio.sleep(_GATHER_SECONDS)
            wanted, self._wanted = self._wanted, {}
            found: dict[UUID, str | None] = {}
            try:
                async with asyncio.timeout(_TIMEOUT):
                    found = await self._query([(workspace, m) for m, (workspace, _) in wanted.items()])
            except (Transient, TimeoutError):
                self._away_until = time.monotonic() + _AWAY_SECONDS
            for message, (_, future) in wanted.items():
                if not future.done():
                    future.set_result(found.get(message))

    async def _query(self, keys: list[tuple[UUID, UUID]]) -> dict[UUID, str | None]:
        async with self._database.transaction({workspace for workspace, _ in keys}) as connection:
            stored = await (await ticket_store.stored(connection, keys))()
        return {key[1]: at.body_sha256 for key, at in stored.items()}
