"""TicketEvent: the public promise, payload of `frontdesk.ticket.v1`. Keep the highest version per ticket."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from contracts.base import Payload
from contracts.resolved import Context

Change = Literal[
    "created",
    "message_added",
    "assigned",
    "unassigned",
    "status_changed",
    "transferred",
    "categorised",
    "prioritised",
    "noted",
]

Status = Literal["new", "open", "waiting", "solved"]

Priority = Literal["urgent", "high", "medium", "low"]


class Segment(Payload, frozen=True, kw_only=True):
    """A stretch of working time that counts towards a deadline: [start, end)."""

    start: datetime
    end: datetime


class Deadline(Payload, frozen=True, kw_only=True):
    """When the first answer is due, and the working time that leads there."""

    due_at: datetime
    started_at: datetime
    target_seconds: int
    calendar: str
    segments: tuple[Segment, ...] = ()


class Ticket(Payload, frozen=True, kw_only=True):
    """A full snapshot, without message bodies. Times are UTC. `agent` null: it waits in the department's queue."""

    id: UUID
    number: int
    workspace: UUID
    customer: UUID
    trust: str
    channel: str
    account: str
    department: str
    priority: Priority
    status: Status
    created_at: datetime
    updated_at: datetime
    store: str | None = None
    subject: str | None = None
    category: str | None = None
    """Path in the category tree, `Technical support/Hardware/Printers`."""
    category_id: str | None = None
    """Names the category also after it has moved in the tree; null: it has no other name than its path."""
    sla: str | None = None
    """The SLA policy that a rule chose; null: that of its department."""
    agent: str | None = None
    queue: str | None = None
    """The department whose queue holds it while no agent does."""
    held_since: datetime | None = None
    """Since when this agent has it; without an agent, since when it waits in this queue."""
    lease_until: datetime | None = None
    """By when its agent does something about it, or it goes back to the queue; null: no lease runs."""
    step: str | None = None
    """The department's own status, where it has some and one was set; `status` is what it means to everybody else."""
    deadline: Deadline | None = None
    tags: tuple[str, ...] = ()
    refers_to: UUID | None = None
    """An older ticket it is related to, without having joined it."""
    messages: int = 0
    context: Context | None = None
    """Orders and earlier tickets of the customer, as they were when its newest message was decided on. It stays the same
    when people change or transfer the ticket."""


class Cause(Payload, frozen=True, kw_only=True):
    """Why the ticket changed."""

    actor: str
    """`router`, `agent:<id>`, `timer`."""
    message_id: UUID | None = None
    rule_set: str | None = None
    """Version (hash) of the configuration that decided."""
    decision: dict[str, Any] | None = None
    """The decision record: the facts read, the rules that matched with the losers, the candidates."""
    trace: str | None = None


class TicketEvent(Payload, frozen=True, kw_only=True):
    """One change. `version` runs 1, 2, 3 … without a gap per ticket; a repeat has the same id and bytes."""

    event_id: UUID
    ticket_id: UUID
    workspace: UUID
    number: int
    version: int
    change: Change
    ticket: Ticket
    cause: Cause
    occurred_at: datetime
