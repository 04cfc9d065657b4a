"""Until when an agent has a ticket without doing anything about it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from contracts.calendars import NeverOpen
from contracts.ticket import Ticket
from router.deadlines import due
from router.ruleset import RuleSet


def leased(ticket: Ticket, rules: RuleSet, now: datetime) -> Ticket:
    """The ticket with its lease begun anew at `now`, in the working time of its department; without one where the department
    has none, or where there is nothing to do."""
    department = rules.department(ticket.department)
    minutes = department.lease_minutes if department else None
    until = None
    if minutes is not None and ticket.agent is not None and ticket.status in ("new", "open"):
        try:
            until = due(now, 60 * minutes, rules.calendar(ticket.department)).due_at
        except NeverOpen:
            until = None
    return ticket if until == ticket.lease_until else msgspec.structs.replace(ticket, lease_until=until)
