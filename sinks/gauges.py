"""Gauges that are read from the database: open work, what is parked, what waits in the outbox or at a provider."""

from __future__ import annotations

from datetime import datetime

from runtime import metrics
from runtime.clock import Clock
from runtime.postgres import Database
from sinks import ticket_gauges
from sinks.periodic import Periodic
from sinks.postgres.sql import queries


class Gauges(Periodic):
    """Each 30 seconds, over all workspaces. A department or stage that has nothing any more disappears."""

    def __init__(self, system_db: Database, clock: Clock) -> None:
        super().__init__(30.0)
        self._database = system_db
        self._clock = clock

    async def tick(self) -> None:
        await self._database.open()
        now = self._clock.now()
        await ticket_gauges.refresh(self._database, now)
        await self._parked(now)
        await self._outbox(now)
        await self._media(now)

    async def _parked(self, now: datetime) -> None:
        rows = await self._database.fetch([], queries("gauges")["parked"])
        metrics.parked_messages.clear()
        metrics.parked_oldest_age.clear()
        for stage, count, since in rows:
            metrics.parked_messages.labels(stage).set(count)
            metrics.parked_oldest_age.labels(stage).set(_age(since, now))

    async def _outbox(self, now: datetime) -> None:
        ((pending, since),) = await self._database.fetch([], queries("gauges")["outbox"])
        metrics.outbox_pending.set(pending)
        metrics.outbox_oldest_age.set(_age(since, now) if since else 0.0)

    async def _media(self, now: datetime) -> None:
        ((waiting, since),) = await self._database.fetch([], queries("gauges")["media"])
        metrics.media_waiting.set(waiting)
        metrics.media_oldest_age.set(_age(since, now) if since else 0.0)


def _age(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())
