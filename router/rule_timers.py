"""Rules whose trigger is time: `before deadline by …`, `unassigned for …`, `breached`. Each is asked once about a ticket for
the deadline, or the wait, that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from contracts.calendars import NeverOpen, WorkingHours
from contracts.rules import Timed
from router.deadlines import before, due
from router.reactions import Reaction, run_rules
from router.ruleset import RuleSet
from router.watch import Watch
from runtime.postgres import Connection
from sinks.postgres.rows import StoredTicket, due_at
from sinks.postgres.ticket_store import lock_tickets
from sinks.postgres.timer_store import TimedQuestion, Waiting, all_workspaces, ask_rules, unasked

_BATCH = 200


class RuleTimers(Watch):
    """Each five seconds, for the workspaces that have such rules. Nothing is stored for a ticket until its time has come: the
    question is which deadlines lie before a horizon, one indexed query for each department and trigger."""

    seconds = 5.0

    async def tick(self) -> None:
        await self._database.open()
        now = self._clock.now()
        async with self._database.transaction() as connection:
            workspaces = await all_workspaces(connection)
        await self._workspaces.refresh(workspaces)
        for workspace in workspaces:
            rules = self._rules.get(workspace)
            for question in _questions(workspace, rules, now) if rules is not None else ():
                while await self._ask(question, now) == _BATCH:
                    pass

    async def _ask(self, question: TimedQuestion, now: datetime) -> int:
        async with self._database.transaction() as connection:
            waiting = await unasked(connection, question, _BATCH)
            if waiting:
                await self._react(connection, question, waiting, now)
        return len(waiting)

    async def _react(
        self, connection: Connection, question: TimedQuestion, waiting: list[Waiting], now: datetime
    ) -> None:
        rules = self._rules.get(question.workspace)
        assert rules is not None
        stored = await lock_tickets(connection, [(item.workspace, item.ticket) for item in waiting])
        # Asked again under the lock: it may have been answered, moved or taken meanwhile.
        still = [
            item
            for item in waiting
            if (found := stored.get((item.workspace, item.ticket))) and _since(question, found) == item.since
        ]
        asked = await ask_rules(connection, question.trigger, still)
        await run_rules(connection, [Reaction(stored[key], question.trigger, rules) for key in asked], now)


def _since(question: TimedQuestion, stored: StoredTicket) -> datetime | None:
    ticket = stored.ticket
    if ticket.status == "solved" or ticket.department != question.department:
        return None
    if question.about == "near_deadline":
        return due_at(ticket)
    return ticket.held_since if ticket.agent is None and ticket.status != "waiting" else None


def _questions(workspace: UUID, rules: RuleSet, now: datetime) -> Iterator[TimedQuestion]:
    departments = {department.id for department in rules.workspace.departments} | {rules.default_department}
    for timed in rules.timed:
        about = "long_unassigned" if timed.kind == "unassigned for" else "near_deadline"
        for department in sorted(departments):
            until = _horizon(timed, rules.calendar(department), now)
            if until is not None:
                yield TimedQuestion(about, workspace, department, timed.trigger, until)  # type: ignore[arg-type]


def _horizon(timed: Timed, hours: WorkingHours, now: datetime) -> datetime | None:
    """Deadlines up to here are near; who waits since then waits for long. In working time, so it stands still at night.
    None: the calendar has no such working time, and nothing is near or long."""
    try:
        match timed.kind:
            case "breached":
                return now
            case "before deadline by":
                return due(now, timed.seconds, hours).due_at
            case "unassigned for":
                return before(now, timed.seconds, hours)
    except NeverOpen:
        return None
