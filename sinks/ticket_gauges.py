"""Gauges of the work itself, for whoever leads a department: what is open, what is late, where it went wrong first."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from runtime import metrics
from runtime.postgres import Database
from sinks.postgres.sql import queries

_DUE_SOON = timedelta(minutes=30)
_FLOW = timedelta(hours=1)
_FIRST_PASS = timedelta(days=30)


async def refresh(database: Database, now: datetime) -> None:
    """All of them, over every workspace. A department that has nothing any more disappears."""
    await _tickets(database, now)
    await _at_risk(database, now)
    await _flow(database, now)
    await _first_pass(database, now)


async def _rows(database: Database, query: str, **parameters: Any) -> list[Any]:
    return await database.fetch([], queries("gauges")[query], parameters)


async def _tickets(database: Database, now: datetime) -> None:
    rows = await _rows(database, "tickets", now=now, horizon=now + _DUE_SOON)
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
        metrics.unassigned_oldest_age.labels(department).set(max(0.0, (now - since).total_seconds()))
    ((forgotten,),) = await _rows(database, "forgotten")
    metrics.tickets_without_action.set(forgotten)


async def _at_risk(database: Database, now: datetime) -> None:
    rows = await _rows(database, "at_risk", now=now)
    metrics.sla_at_risk.clear()
    for department, clock, count in rows:
        metrics.sla_at_risk.labels(department, clock).set(count)


async def _flow(database: Database, now: datetime) -> None:
    rows = await _rows(database, "flow", since=now - _FLOW)
    metrics.backlog_growth.clear()
    for department, came, solved in rows:
        metrics.backlog_growth.labels(department).set(came - solved)


async def _first_pass(database: Database, now: datetime) -> None:
    rows = await _rows(database, "first_pass", since=now - _FIRST_PASS)
    metrics.transfer_ratio.clear()
    metrics.first_pass_correct_ratio.clear()
    for department, count, moved in rows:
        metrics.transfer_ratio.labels(department).set(moved / count)
        metrics.first_pass_correct_ratio.labels(department).set((count - moved) / count)
