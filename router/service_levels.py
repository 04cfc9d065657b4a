"""Calendars and SLA policies of a workspace, compiled: what a ticket's clocks go by in a department."""

from __future__ import annotations

from contracts.calendars import WEEKDAYS, WorkingHours
from contracts.ticket import Priority, Terms
from contracts.workspace import Calendar, Department, SlaPolicy, Workspace

# What a department works by when it has no hours or no policy of its own: every ticket has a deadline.
_ALWAYS: dict[str, tuple[tuple[str, str], ...]] = dict.fromkeys(WEEKDAYS, (("00:00", "24:00"),))
_MINUTES = SlaPolicy(id="default", first_response={"urgent": 30, "high": 60, "medium": 180, "low": 480})


class ServiceLevels:
    """Immutable, and cheap to make. Departments are named by their ids."""

    def __init__(self, workspace: Workspace) -> None:
        self.calendars = {calendar.id: WorkingHours(calendar) for calendar in workspace.calendars}
        self._policies = {policy.id: policy for policy in workspace.sla_policies}
        self._departments: dict[str, Department] = {d.id: d for d in workspace.departments}
        self.always = WorkingHours(Calendar(id="always", zone=workspace.zone, hours=_ALWAYS))
        self._usual = next(iter(self.calendars.values()), self.always)
        self._usual_policy = next(iter(workspace.sla_policies), _MINUTES)

    def calendar(self, department: str) -> WorkingHours:
        """The department's working hours; one that has none keeps those of the first calendar, or is always open where
        there is none."""
        found = self._departments.get(department)
        return self.calendars.get(found.calendar, self._usual) if found else self._usual

    def hours(self, calendar: str) -> WorkingHours:
        """By its id. One that the configuration does not have any more is replaced by the first."""
        return self.always if calendar == self.always.id else self.calendars.get(calendar, self._usual)

    def terms(self, department: str, priority: Priority, policy: str | None = None) -> Terms:
        """What the clocks of such a ticket go by. `policy`: one that was chosen in place of the department's; an unknown
        one, like a department without any, has the first."""
        found = self._departments.get(department)
        named = policy or (found.sla if found else "")
        chosen = self._policies.get(named, self._usual_policy)
        first = 60 * chosen.first_response.get(priority, _MINUTES.first_response[priority])
        return Terms(
            calendar=self.calendar(department).id,
            first_response=first,
            next_response=first if chosen.next_response is None else _seconds(chosen.next_response, priority),
            resolution=_seconds(chosen.resolution or {}, priority),
            pauses=chosen.pauses,
            follow_up=60 * chosen.follow_up_minutes,
            warning=60 * chosen.warn_minutes,
        )


def _seconds(minutes: dict[Priority, int], priority: Priority) -> int | None:
    return 60 * minutes[priority] if priority in minutes else None
