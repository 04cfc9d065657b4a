"""A change of a ticket is three rows: the snapshot after it, an entry in the trail, and an event for the topic."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from contracts.alarms import alarms
from contracts.base import encode
from contracts.ids import ticket_event_id
from contracts.ticket import Cause, Change, Ticket, TicketEvent
from runtime import metrics
from sinks.audit import GENESIS, entry_hash
from sinks.postgres.rows import StoredTicket
from sinks.postgres.ticket_store import AuditRow, OutboxRow, Writes

DEADLINES = "deadlines"
"""The kind of timer that each ticket has, by its id, while there is something to tell of its deadlines."""


def add_change(
    writes: Writes,
    before: StoredTicket | None,
    ticket: Ticket,
    change: Change,
    cause: Cause,
    detail: dict[str, Any],
    now: datetime,
    pulled: bool = False,
) -> StoredTicket:
    """Adds all three, with the timer of its deadlines, and returns the ticket as it is then stored. `before`: as it was, None
    for a new one; `pulled`: whether its agent took it by pulling."""
    version, ticket = (
        before.version + 1 if before else 1,
        _held(before.ticket if before else None, ticket, now),
    )
    audited = encode(detail)
    head = before.audit_head if before else GENESIS
    head = entry_hash(head, ticket.id, version, now, cause.actor, change, audited)
    key = (ticket.workspace, ticket.id)
    event = TicketEvent(
        event_id=ticket_event_id(ticket.id, version),
        ticket_id=ticket.id,
        workspace=ticket.workspace,
        number=ticket.number,
        version=version,
        change=change,
        ticket=ticket,
        cause=cause,
        occurred_at=now,
    )
    if before is not None and before.ticket.department != ticket.department:
        metrics.transfers.labels(before.ticket.department).inc()
    writes.tickets[key] = StoredTicket(ticket, version, pulled, head)
    writes.timers[(ticket.workspace, DEADLINES, str(ticket.id))] = min(
        (alarm.at for alarm in alarms(ticket)), default=None
    )
    writes.audit.append(AuditRow(*key, version, now, cause.actor, change, audited.decode(), head))
    writes.outbox.append(
        OutboxRow.of("ticket", ticket.id, event.event_id, change, event, ticket.workspace, now, cause.trace)
    )
    return writes.tickets[key]


def _held(before: Ticket | None, ticket: Ticket, now: datetime) -> Ticket:
    """Since when its holder has it, whoever writes the change. A lease runs only while an agent has something to do."""
    same = before is not None and (before.agent, before.queue) == (ticket.agent, ticket.queue)
    idle = ticket.agent is None or ticket.status in ("waiting", "solved")
    return msgspec.structs.replace(
        ticket,
        held_since=before.held_since if before is not None and same else now,
        lease_until=None if idle else ticket.lease_until,
        held_back=ticket.held_back and ticket.agent is None,
    )
