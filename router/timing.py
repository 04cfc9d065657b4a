"""What happens to a ticket, as its clocks see it. Each function gives the ticket with all its deadlines worked out anew."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from contracts.alarms import Alarm
from contracts.ticket import Moment, Ticket
from router.clocks import fold, noted
from router.service_levels import ServiceLevels


def opened(ticket: Ticket, at: datetime, levels: ServiceLevels, wants_answer: bool = True) -> Ticket:
    """A ticket that begins at `at`, by its department, priority and policy. A call that was taken wants no answer."""
    return _with(ticket, _beginning(ticket, at, levels, wants_answer), levels)


def changed(
    before: Ticket,
    after: Ticket,
    at: datetime,
    levels: ServiceLevels,
    wrote: Literal["customer", "agent"] | None = None,
) -> Ticket:
    """`after`, with the deadlines that follow from what differs (department, priority, policy, status) and from who wrote.

    `at`: when it was done; of a customer's message its own time (`deadlines.starts_at`), which also ends a pause.
    """
    moments = before.moments or _beginning(before, _began(before), levels, before.deadline is not None)
    known = moments
    if wrote is not None:
        kind: Literal["customer", "answered"] = "customer" if wrote == "customer" else "answered"
        moments = noted(moments, Moment(kind=kind, at=at))
    transferred = after.department != before.department
    if transferred or (after.priority, after.sla) != (before.priority, before.sla):
        terms = levels.terms(after.department, after.priority, after.sla)
        moments = noted(moments, Moment(kind="placed", at=at, terms=terms))
    # Whether work has begun moves no clock.
    if after.status != before.status and {before.status, after.status} != {"new", "open"}:
        moments = noted(moments, Moment(kind="status", at=at, status=after.status))
    if moments == known:
        return after
    return _with(msgspec.structs.replace(after, transfers=before.transfers + transferred), moments, levels)


def told(ticket: Ticket, alarm: Alarm, now: datetime, levels: ServiceLevels) -> Ticket:
    """The ticket after somebody was told that a deadline is near or missed. The deadlines stay as they are."""
    moments = ticket.moments or _beginning(ticket, _began(ticket), levels, ticket.deadline is not None)
    moment = Moment(kind=alarm.kind, at=now, clock=alarm.clock, due_at=alarm.due_at)
    return msgspec.structs.replace(ticket, moments=(*moments, moment))


def _beginning(ticket: Ticket, at: datetime, levels: ServiceLevels, wants_answer: bool) -> tuple[Moment, ...]:
    terms = levels.terms(ticket.department, ticket.priority, ticket.sla)
    if not wants_answer:
        terms = msgspec.structs.replace(terms, first_response=None)
    moments: tuple[Moment, ...] = (Moment(kind="opened", at=at, terms=terms),)
    if ticket.status not in ("new", "open"):
        moments = noted(moments, Moment(kind="status", at=at, status=ticket.status))
    return moments


def _began(ticket: Ticket) -> datetime:
    """Of a ticket that was stored before there were moments."""
    return ticket.deadline.started_at if ticket.deadline else ticket.created_at


def _with(ticket: Ticket, moments: tuple[Moment, ...], levels: ServiceLevels) -> Ticket:
    return msgspec.structs.replace(ticket, moments=moments, **fold(moments, levels)._asdict())
