"""Gauges that are read from the database: open work, what is parked, what waits in the outbox or at a provider."""

from __future__ import annotations

from datetime import datetime, timedelta

from runtime import metrics
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.periodic import Periodic
from sinks.postgres.sql import queries

_DUE_SOON = timedelta(minutes=30)


class Gauges(Periodic):
    """Each 30 seconds, over all workspaces. A department or stage that has nothing any more disappears."""

    def __init__(self, system_db: Database, clock: Clock) -> None:
        super().__init__(30.0)
        self._database = system_db
        self._clock = clock

    async def tick(self) -> None:
        await self._database.open()
        now = self._clock.now()
        await self._tickets(now)
        await self._parked(now)
        await self._outbox(now)
        await self._media(now)

    async def _tickets(self, now: datetime) -> None:
        parameters = {"now": now, "horizon": now + _DUE_SOON}
        rows = await self._database.fetch([], queries("gauges")["tickets"], parameters)
        for gauge in (metrics.tickets, metrics.due_soon, metrics.overdue, metrics.unassigned_oldest_age):
            gauge.clear()
        waiting: dict[str, datetime] = {}
        for department, status, count, soon, late, since in rows:
            metrics.tickets.labels(department, status).set(count)
            metrics.due_soon.labels(department).inc(soon)
            metrics.overdue.labels(department).inc(late)
            if since:
                waiting[department] = min(since, waiting.get(department, since))
        for department, since in waiting.items():
            metrics.unassigned_oldest_age.labels(department).set(_age(since, now))

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
