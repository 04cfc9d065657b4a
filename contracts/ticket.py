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
    "sla_risk",
    "sla_breached",
    "escalated",
    "erased",
]

Status = Literal["new", "open", "waiting", "solved"]

Priority = Literal["urgent", "high", "medium", "low"]

Clock = Literal["first_response", "next_response", "resolution"]
"""What is timed: the first answer, the answer to a later message, the solution."""

DeadlineState = Literal["running", "paused", "met", "missed"]


class Segment(Payload, frozen=True, kw_only=True):
    """A stretch of working time that counts towards a deadline: [start, end)."""

    start: datetime
    end: datetime


class Deadline(Payload, frozen=True, kw_only=True):
    """When something is due, and the working time that leads there: `segments` hold what was used before a transfer, and
    what is left after it. A new `due_at` is a new deadline; the same one is missed once."""

    due_at: datetime
    """While it is paused: when it would be due if the pause ended as it began."""
    started_at: datetime
    target_seconds: int
    calendar: str
    segments: tuple[Segment, ...] = ()
    state: DeadlineState = "running"
    risk_at: datetime | None = None
    """From when on it is at risk, while it runs."""
    ended_at: datetime | None = None
    """When it was met or, later than due, done after all."""


class Terms(Payload, frozen=True, kw_only=True):
    """What a ticket's clocks go by: its department's calendar, and its policy's targets in seconds of working time. Without
    a target a clock does not run."""

    calendar: str
    first_response: int | None = None
    next_response: int | None = None
    resolution: int | None = None
    pauses: tuple[str, ...] = ()
    """Statuses in which the resolution's clock stands still."""
    follow_up: int
    """After so much working time an unsolved ticket on which no clock runs is looked at again."""
    warning: int
    """So much working time before a deadline it is at risk; before a short one, half of its target."""


MomentKind = Literal["opened", "placed", "customer", "answered", "status", "sla_risk", "sla_breached"]


class Moment(Payload, frozen=True, kw_only=True):
    """Something that clocks depend on. Deadlines are a fold over a ticket's moments, in this order.

    `opened` and `placed` bring `terms`; `placed` is a transfer, or another priority or policy. `customer`: wrote something
    that wants an answer; `answered`: was answered. `status` brings the new one. `sla_risk`, `sla_breached`: was told of
    the `clock` that is due at `due_at`.
    """

    kind: MomentKind
    at: datetime
    """Of messages as `Deadline.started_at` has it: the provider's time where it is plausible, else ours."""
    terms: Terms | None = None
    status: Status | None = None
    clock: Clock | None = None
    due_at: datetime | None = None


class Measured(Payload, frozen=True, kw_only=True):
    """How long something took from the ticket's start: on its clock, which counts working time without pauses, and on the
    wall."""

    at: datetime
    business_minutes: float
    wall_minutes: float


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
    language: str | None = None
    """Of its first message, among the workspace's; told only where agents are matched by language."""
    held_back: bool = False
    """Left in its queue on purpose, by a rule or by hand: it may be pulled or assigned, and is not offered."""
    deadline: Deadline | None = None
    """Of the first answer."""
    next_response: Deadline | None = None
    """Of the answer to what the customer wrote since; the newest, also when it is met."""
    resolution: Deadline | None = None
    next_action_at: datetime | None = None
    """The earliest deadline that runs; else when the ticket is to be looked at again. None: it is solved."""
    first_answer: Measured | None = None
    resolved: Measured | None = None
    """The newest solution; none while the ticket is open again."""
    transfers: int = 0
    """How often it went to another department."""
    moments: tuple[Moment, ...] = ()
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
    clock: Clock | None = None
    """Of `sla_risk`, `sla_breached` and `escalated`: which deadline."""
    escalated_to: tuple[str, ...] = ()
    """Agents who are told: the leads of the department."""


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
