"""When somebody is there to chat: the working hours of the department that a visitor picked."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from contracts.calendars import NeverOpen, WorkingHours
from contracts.workspace import Account, Calendar, Department, Workspace

_SOON = timedelta(seconds=1)


class Hours(NamedTuple):
    """`opens`: the next opening while it is closed, in the zone of the calendar; None when there is none to come."""

    online: bool
    opens: datetime | None = None
    zone: str = "UTC"

    @property
    def told(self) -> dict[str, Any]:
        """As the widget is told."""
        if self.online:
            return {"online": True}
        opens = self.opens.isoformat() if self.opens else None
        return {"online": False, "opens": opens, "zone": self.zone}


class ChatHours:
    """Of one workspace's configuration. A department without a calendar keeps the hours of the first one, and is always open
    where there is none: as its deadlines are counted."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._calendars = {calendar.id: calendar for calendar in workspace.calendars}
        self._usual = next(iter(workspace.calendars), None)
        self._hours = {calendar.id: WorkingHours(calendar) for calendar in workspace.calendars}

    def at(self, account: Account, picked: str | None, now: datetime) -> Hours:
        """For a message to the department that was picked; without one, to where the account's messages go."""
        found = self._department(picked) or self._department(account.department)
        return self._of(found or self._department(self._workspace.default_department), now)

    def departments(self, now: datetime) -> list[dict[str, Any]]:
        """Those that a visitor may pick, as the widget is told of them."""
        return [
            {"id": d.id, "name": d.name} | self._of(d, now).told
            for d in self._workspace.departments
            if d.public
        ]

    def _department(self, named: str | None) -> Department | None:
        """By slug or name, without regard to case."""
        wanted = (named or "").strip().casefold()
        departments = self._workspace.departments
        by_slug = next((d for d in departments if d.id.casefold() == wanted), None)
        return by_slug or next((d for d in departments if d.name.casefold() == wanted), None)

    def _of(self, department: Department | None, now: datetime) -> Hours:
        calendar: Calendar | None = self._usual
        if department is not None:
            named = department.availability.get("chat", department.calendar)
            calendar = self._calendars.get(named, self._usual)
        if calendar is None:
            return Hours(True)
        try:
            opens = self._hours[calendar.id].next_open(now)
        except NeverOpen:
            return Hours(False, None, calendar.zone)
        if opens - now < _SOON:
            return Hours(True)
        return Hours(False, opens.astimezone(ZoneInfo(calendar.zone)), calendar.zone)
