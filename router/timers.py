"""Deadlines that come near or pass: told once each, as events of the ticket, with its trail.

The timer, the event and the memory of it are one transaction. A process that is killed in it tells it again as if for the
first time; a clock that jumps finds what was told in the ticket's moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.alarms import Alarm, alarms, clocks
from contracts.ticket import Cause, Change, Ticket
from router import timing
from router.ruleset import RuleSet
from router.watch import Watch
from runtime import metrics
from runtime.failpoints import failpoint
from runtime.postgres import Connection
from sinks.postgres.rows import StoredTicket, replace
from sinks.postgres.ticket_store import Key, Writes, lock_tickets
from sinks.postgres.ticket_trail import DEADLINES, add_change
from sinks.postgres.ticket_writes import write
from sinks.postgres.timer_store import Timer, claim_timers, due_timers

ACTOR = "timer"

_BATCH = 200
"""Tickets in one transaction."""


class DeadlineTimers(Watch):
    """Each second: `sla_risk` before a deadline, `sla_breached` and, while the work is still to be done, `escalated` at it.
    Any number of processes may run it."""

    seconds = 1.0

    async def tick(self) -> None:
        await self._database.open()
        now = self._clock.now()
        while await self._round(now) == _BATCH:
            pass

    async def _round(self, now: datetime) -> int:
        """Tells what is due of a batch of tickets; returns how many timers were due."""
        async with self._database.transaction() as connection:
            due = await due_timers(connection, DEADLINES, now, _BATCH)
        if not due:
            return 0
        await self._workspaces.refresh({timer.workspace for timer in due})
        async with self._database.transaction() as connection:
            told = await self._tell(connection, due, now)
            failpoint("timers.before_commit")
        failpoint("timers.after_commit")
        for department, alarm in told:
            if alarm.kind == "sla_breached":
                metrics.sla_breaches.labels(department, alarm.clock).inc()
        return len(due)

    async def _tell(
        self, connection: Connection, due: Sequence[Timer], now: datetime
    ) -> list[tuple[str, Alarm]]:
        stored = await lock_tickets(connection, [_ticket_of(timer) for timer in due])
        writes, told = Writes(), list[tuple[str, Alarm]]()
        for timer in await claim_timers(connection, due):
            rules, ticket = self._rules.get(timer.workspace), stored.get(_ticket_of(timer))
            if rules is not None and ticket is not None:
                told += [(ticket.ticket.department, alarm) for alarm in _add(writes, ticket, rules, now)]
        await write(connection, writes)
        return told


def _ticket_of(timer: Timer) -> Key:
    return (timer.workspace, UUID(timer.subject))


def _add(writes: Writes, stored: StoredTicket, rules: RuleSet, now: datetime) -> list[Alarm]:
    """Adds the events of what is due on the ticket, and returns that."""
    due = [alarm for alarm in alarms(stored.ticket) if alarm.at <= now]
    for alarm in due:
        told = timing.told(stored.ticket, alarm, now, rules.levels)
        stored = _event(writes, stored, told, alarm.kind, alarm, rules, now)
        if alarm.kind == "sla_breached" and _is_undone(told, alarm):
            stored = _event(writes, stored, told, "escalated", alarm, rules, now)
    return due


def _event(
    writes: Writes,
    stored: StoredTicket,
    ticket: Ticket,
    change: Change,
    alarm: Alarm,
    rules: RuleSet,
    now: datetime,
) -> StoredTicket:
    leads = rules.leads(ticket.department) if change == "escalated" else ()
    cause = Cause(actor=ACTOR, rule_set=rules.version, clock=alarm.clock, escalated_to=leads)
    detail: dict[str, Any] = {"clock": alarm.clock, "due_at": alarm.due_at}
    if leads:
        detail["to"] = leads
    return add_change(
        writes, stored, replace(ticket, updated_at=now), change, cause, detail, now, stored.pulled
    )


def _is_undone(ticket: Ticket, alarm: Alarm) -> bool:
    """Whether the deadline still runs: what was done late needs nobody's help any more."""
    return any(name == alarm.clock and deadline.state == "running" for name, deadline in clocks(ticket))
