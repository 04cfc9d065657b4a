"""A department's own process: which status a ticket has there, and where it may go. Pure.

A ticket remembers the department's status as its `step`. Whoever changes `status` without knowing the process leaves a step
that does not mean it: then the ticket stands at the first status that does.
"""

from __future__ import annotations

from contracts.errors import Refused
from contracts.ticket import Status, Ticket
from contracts.workspace import Department, DepartmentStatus
from sinks.postgres.rows import replace

_SETTABLE: tuple[Status, ...] = ("open", "waiting", "solved")
"""Without a process of its own: new is a ticket only until somebody takes it up."""


class NotAllowed(Refused):
    """The department does not know this status, or does not go there from where the ticket is."""

    def __init__(self, wanted: str, allowed: tuple[str, ...]) -> None:
        listed = ", ".join(allowed) or "none"
        super().__init__(
            "status_not_allowed", f"`{wanted}`: allowed from here are {listed}", status=422, field="status"
        )
        self.allowed = allowed


def current(ticket: Ticket, department: Department | None) -> str:
    """The name of the status that the ticket has in its department."""
    found = _standing(ticket, department)
    return found.name if found else ticket.status


def allowed(ticket: Ticket, department: Department | None) -> tuple[str, ...]:
    """Names of the statuses that it may be moved to."""
    if department is None or not department.statuses:
        return _SETTABLE
    found = _standing(ticket, department)
    return found.next if found else tuple(status.name for status in department.statuses)


def moved(ticket: Ticket, department: Department | None, wanted: str) -> Ticket:
    """The ticket with the wanted status; unchanged where it has it already. Raises `NotAllowed`."""
    may = allowed(ticket, department)
    if department is None or not department.statuses:
        if wanted not in may:
            raise NotAllowed(wanted, may)
        return replace(ticket, status=wanted, step=None)
    if wanted == current(ticket, department):
        return ticket
    if wanted not in may:
        raise NotAllowed(wanted, may)
    means = next(status.means for status in department.statuses if status.name == wanted)
    return replace(ticket, status=means, step=wanted)


def waiting(ticket: Ticket, department: Department | None) -> Ticket:
    """The ticket waiting for its customer, by the first move of the process that means so. Raises `NotAllowed`."""
    if ticket.status == "waiting":
        return ticket
    if department is None or not department.statuses:
        return moved(ticket, department, "waiting")
    means = {status.name: status.means for status in department.statuses}
    following = allowed(ticket, department)
    wanted = next((name for name in following if means[name] == "waiting"), None)
    if wanted is None:
        raise NotAllowed("waiting", following)
    return moved(ticket, department, wanted)


def taken_up(ticket: Ticket) -> Ticket:
    """A new ticket is open once somebody has it in hand."""
    return replace(ticket, status="open", step=None) if ticket.status == "new" else ticket


def _standing(ticket: Ticket, department: Department | None) -> DepartmentStatus | None:
    statuses = department.statuses if department else ()
    meaning = [status for status in statuses if status.means == ticket.status]
    return next((s for s in meaning if s.name == ticket.step), meaning[0] if meaning else None)
