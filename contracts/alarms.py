"""What is to be told of a ticket's deadlines, and when. A pure function of the snapshot."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from contracts.ticket import Clock, Deadline, Ticket


class Alarm(NamedTuple):
    """One thing to tell. `due_at` says of which deadline: a clock may get another one later."""

    at: datetime
    kind: Literal["sla_risk", "sla_breached"]
    clock: Clock
    due_at: datetime


def alarms(ticket: Ticket) -> list[Alarm]:
    """What was not told yet, in order: each once for each deadline. A deadline that was missed and met since is told as
    missed, one that was met in time is not; what was missed already is not missed again by a change that leaves it no
    time."""
    told = {(moment.kind, moment.clock, moment.due_at) for moment in ticket.moments}
    missed = {moment.clock for moment in ticket.moments if moment.kind == "sla_breached"}
    found: list[Alarm] = []
    for name, deadline in clocks(ticket):
        if deadline.state in ("paused", "met") or (name in missed and _spent(deadline)):
            continue
        if deadline.risk_at is not None and deadline.risk_at < deadline.due_at:
            found.append(Alarm(deadline.risk_at, "sla_risk", name, deadline.due_at))
        found.append(Alarm(deadline.due_at, "sla_breached", name, deadline.due_at))
    return sorted(alarm for alarm in found if (alarm.kind, alarm.clock, alarm.due_at) not in told)


def clocks(ticket: Ticket) -> list[tuple[Clock, Deadline]]:
    """The ticket's deadlines, by the clock that each belongs to."""
    named: list[tuple[Clock, Deadline | None]] = [
        ("first_response", ticket.deadline),
        ("next_response", ticket.next_response),
        ("resolution", ticket.resolution),
    ]
    return [(clock, deadline) for clock, deadline in named if deadline is not None]


def _spent(deadline: Deadline) -> bool:
    """Whether its target had been used up before its last change: it fell due with the change itself."""
    used = sum((segment.end - segment.start for segment in deadline.segments), timedelta())
    target = timedelta(seconds=deadline.target_seconds)
    return used > target or (bool(deadline.segments) and deadline.segments[-1].end < deadline.due_at)
