"""Gauges that are read from the database: open work, what is parked, what waits in the outbox."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from runtime import metrics
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.periodic import Periodic
from sinks.postgres.sql import queries

_DUE_SOON = timedelta(minutes=30)


class Gauges(Periodic):
    """Each 30 seconds, over all workspaces. A department, stage or reason that has nothing any more disappears."""

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

    async def _tickets(self, now: datetime) -> None:
        parameters = {"now": now, "horizon": now + _DUE_SOON}
        rows = await self._database.fetch([], queries("gauges")["tickets"], parameters)
        metrics.tickets.clear()
        metrics.due_soon.clear()
        due: Counter[str] = Counter()
        for department, status, count, soon in rows:
            metrics.tickets.labels(department, status).set(count)
            due[department] += soon
        for department, soon in due.items():
            metrics.due_soon.labels(department).set(soon)

    async def _parked(self, now: datetime) -> None:
        rows = await self._database.fetch([], queries("gauges")["parked"])
        metrics.parked_messages.clear()
        metrics.parked_oldest_age.clear()
        oldest: dict[str, datetime] = {}
        for stage, reason, count, since in rows:
            metrics.parked_messages.labels(stage, reason).set(count)
            oldest[stage] = min(since, oldest.get(stage, since))
        for stage, since in oldest.items():
            metrics.parked_oldest_age.labels(stage).set(_age(since, now))

    async def _outbox(self, now: datetime) -> None:
        ((pending, since),) = await self._database.fetch([], queries("gauges")["outbox"])
        metrics.outbox_pending.set(pending)
        metrics.outbox_oldest_age.set(_age(since, now) if since else 0.0)


def _age(since: datetime, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds())
