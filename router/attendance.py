"""Is an agent there? What they said at the desk, their leave and their working hours as one answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from contracts.calendars import WorkingHours
from contracts.workspace import Absence, Agent, Workspace

Presence = Literal["present", "away", "offline"]
"""What an agent says of themselves. `away` is a break: no new tickets, the held ones stay."""

Missing = Literal["on_leave", "off_shift", "away", "offline", "absent", "unknown_agent"]
"""Why an agent is not there. `absent`: by configuration, without a word of theirs."""

OFF: frozenset[Missing] = frozenset(("on_leave", "off_shift", "offline", "unknown_agent"))
"""Reasons that end a shift. Who is away comes back; who is only absent has never said that they were there."""


class _Leave(NamedTuple):
    begins: datetime
    ends: datetime
    deputy: str | None


class Attendance:
    """Of one configuration; it never changes."""

    def __init__(self, config: Workspace) -> None:
        zones = {calendar.id: calendar.zone for calendar in config.calendars}
        calendars = {calendar.id: WorkingHours(calendar) for calendar in config.calendars}
        self._agents = {agent.id: agent for agent in config.agents if agent.active}
        self._hours = {a.id: calendars[a.calendar] for a in self._agents.values() if a.calendar in calendars}
        self._leave = {
            agent.id: [_leave(absence, ZoneInfo(_zone(agent, zones, config))) for absence in agent.absences]
            for agent in self._agents.values()
        }
        self._asked: datetime | None = None
        self._free = frozenset[str]()

    def free(self, now: datetime) -> frozenset[str]:
        """Agents who are there if they said nothing, and take any number of tickets. Kept for the instant that was asked for
        last: a batch asks for the same one with every ticket."""
        if self._asked != now:
            unlimited = (agent.id for agent in self._agents.values() if agent.capacity is None)
            self._free = frozenset(agent for agent in unlimited if self.missing(agent, None, now) is None)
            self._asked = now
        return self._free

    def missing(self, agent: str, said: str | None, now: datetime) -> Missing | None:
        """None: the agent is there. `said` is what they said last at the desk, None if nothing yet. Leave goes before working
        hours, working hours before words."""
        known = self._agents.get(agent)
        if known is None:
            return "unknown_agent"
        if self._leave[agent] and self._on_leave(agent, now) is not None:
            return "on_leave"
        hours = self._hours.get(agent)
        if hours is not None and not hours.is_open(now):
            return "off_shift"
        if said is None:
            return None if known.present else "absent"
        return None if said == "present" else "away" if said == "away" else "offline"

    def deputy(self, agent: str, now: datetime) -> str | None:
        """Who stands in for an agent on leave."""
        leave = self._on_leave(agent, now)
        return leave.deputy if leave else None

    def deputies(self, agent: str) -> tuple[str, ...]:
        """Everybody who stands in for them at some time."""
        return tuple(leave.deputy for leave in self._leave.get(agent, ()) if leave.deputy is not None)

    def _on_leave(self, agent: str, now: datetime) -> _Leave | None:
        return next((leave for leave in self._leave.get(agent, ()) if leave.begins <= now < leave.ends), None)


def _zone(agent: Agent, zones: Mapping[str, str], config: Workspace) -> str:
    return zones.get(agent.calendar or "", config.zone)


def _leave(absence: Absence, zone: ZoneInfo) -> _Leave:
    # A date as an end means the whole day.
    whole_day = timedelta(days=1) if len(absence.last) == 10 else timedelta()
    return _Leave(_instant(absence.first, zone), _instant(absence.last, zone, whole_day), absence.deputy)


def _instant(local: str, zone: ZoneInfo, later: timedelta = timedelta()) -> datetime:
    """Days are added to the local date: not every day has 24 hours."""
    at = datetime.fromisoformat(local) + later if len(local) > 10 else _midnight(local) + later
    return at.replace(tzinfo=zone).astimezone(UTC)


def _midnight(day: str) -> datetime:
    return datetime.combine(datetime.fromisoformat(day).date(), time())
