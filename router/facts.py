"""What decisions may read, as values. Facts are read once a batch and advanced by each plan: one batch of N messages
decides as N batches of one would."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from contracts import ids
from contracts.inbound import InboundMessage
from contracts.resolved import CustomerLink, ResolvedMessage
from contracts.ticket import Change, Ticket
from router.deadlines import starts_at
from router.refs import Ref, is_answered
from router.replies import Reply, To
from router.rules import Verdict
from router.ruleset import RuleSet
from router.subjects import Known

Participant = tuple[str, str]
"""Kind and value of a handle, in the form that is compared."""
Answered = tuple[UUID, str, str]
"""Workspace, channel, address."""
RotationKey = tuple[UUID, str, str]
"""Workspace, department, category (empty for the department itself)."""


def participant(kind: str, value: str) -> Participant:
    """Addresses compare without case, everything else as it is."""
    return (kind, value.strip().lower() if kind == "email" else value.strip())


class TicketFacts(msgspec.Struct, frozen=True):
    """A ticket as it stands, and who takes part in it."""

    ticket: Ticket
    version: int
    participants: frozenset[Participant] = frozenset()


class Placement(msgspec.Struct, frozen=True):
    """Where a message goes, before somebody is found for it. `ticket` is the snapshot after."""

    resolved: ResolvedMessage
    message: InboundMessage
    ticket: Ticket
    version: int
    opens: bool
    change: Change
    decided_by: str
    record: dict[str, Any]
    refs: tuple[Ref, ...] = ()
    duplicate_of: UUID | None = None
    """The message that said the same shortly before."""
    said: str | None = None
    """What the message says (`refs.content`)."""
    participants: tuple[Participant, ...] = ()
    assign_to: str | None = None
    """What a rule says: an agent, or `nobody`."""
    joined: Ticket | None = None
    """The ticket that it joined, as it stood."""
    reopens: bool = False
    """A solved ticket is work again."""
    wakes: bool = False
    """So is one that was solved, or that waited for the customer."""
    verdict: Verdict = msgspec.field(default_factory=Verdict)
    """What the rules want, with what they send."""
    reply: Reply | None = None
    """The automatic answer that they send."""


class Plan(msgspec.Struct, frozen=True):
    """A placement with its agent or queue: everything that is to be written."""

    placement: Placement
    ticket: Ticket
    record: dict[str, Any]
    rotation: tuple[RotationKey, tuple[str, ...]] | None = None
    """The rotation after, when this message moved it."""
    weight: int = 1
    """What the ticket takes of its agent's capacity."""


class Twin(NamedTuple):
    """A message with its ticket, found by what it says."""

    message: UUID
    ticket: UUID
    received_at: datetime


class MissedCall(NamedTuple):
    """A call that nobody took: which one it was, and when."""

    call: str
    at: datetime


@dataclass(slots=True)
class Facts:
    """Tickets that the batch may touch, and what names them."""

    tickets: dict[UUID, TicketFacts] = field(default_factory=dict)
    by_ref: dict[tuple[UUID, str, str], tuple[UUID, ...]] = field(default_factory=dict)
    tags: dict[tuple[UUID, UUID], tuple[str, ...]] = field(default_factory=dict)
    """Tags of customers, by workspace and customer; read only where a rule asks for them."""
    answered: dict[Answered, datetime] = field(default_factory=dict)
    """When each addressee last got an automatic answer."""
    families: dict[tuple[UUID, UUID], tuple[UUID, ...]] = field(default_factory=dict)
    """Customers under every id that merges gave them, by workspace and any of these."""
    twins: dict[tuple[UUID, str], Twin] = field(default_factory=dict)
    """The newest message that says something, by workspace and `refs.content`."""
    missed: dict[UUID, tuple[MissedCall, ...]] = field(default_factory=dict)
    """Calls on a ticket that nobody took."""

    def family(self, workspace: UUID, customer: UUID) -> tuple[UUID, ...]:
        """The customer's ids; the given one alone when nothing was merged."""
        return self.families.get((workspace, customer), (customer,))

    def copy(self) -> Facts:
        """The same facts, which move on by themselves."""
        return Facts(*(dict(getattr(self, one.name)) for one in fields(self)))

    def after(self, placement: Placement) -> Facts:
        """The facts for the next message: equal to reading them again after a write of the placement."""
        ticket, workspace = placement.ticket, placement.message.workspace
        before = self.tickets.get(ticket.id)
        people = (before.participants if before else frozenset()) | frozenset(placement.participants)
        self.tickets[ticket.id] = TicketFacts(ticket, placement.version, people)
        if placement.reply is not None:
            self.answered[answered_key(workspace, placement.reply.to)] = ticket.updated_at
        for kind, value in (*placement.refs, ("customer", ids.written(ticket.customer))):
            # Nearly always nothing had this name before.
            named = self.by_ref.setdefault((workspace, kind, value), (ticket.id,))
            if ticket.id not in named:
                self.by_ref[(workspace, kind, value)] = (*named, ticket.id)
        self._said(placement)
        return self

    def _said(self, placement: Placement) -> None:
        message, ticket = placement.message, placement.ticket.id
        if placement.said is not None:
            twin = Twin(message.message_id, ticket, message.received_at)
            self.twins[(message.workspace, placement.said)] = twin
        if is_unanswered(message) and message.target is not None:
            call = MissedCall(message.target, starts_at(message))
            self.missed[ticket] = (*self.missed.get(ticket, ()), call)


@dataclass(slots=True)
class Staff:
    """Agents, turns and queues, read under the locks of rotations and agents."""

    load: dict[tuple[UUID, str], int] = field(default_factory=dict)
    """Agent -> what their unsolved tickets weigh together; read where somebody asks for it."""
    last_assigned: dict[tuple[UUID, str], datetime] = field(default_factory=dict)
    said: dict[tuple[UUID, str], str] = field(default_factory=dict)
    """Agent -> what they said last of their presence."""
    rotations: dict[RotationKey, tuple[str, ...]] = field(default_factory=dict)
    waiting: dict[tuple[UUID, str], int] = field(default_factory=dict)
    """Department -> tickets that wait in its queue; read where overflow asks for it."""
    last_agents: dict[tuple[UUID, UUID, str], tuple[str, datetime]] = field(default_factory=dict)
    """Customer and department -> who had their newest ticket, and when it was opened; read where affinity asks for it."""

    def after(self, plan: Plan, now: datetime) -> Staff:
        """Staff as the next assignment of the batch sees it: a ticket opened or reopened is one more for its agent."""
        ticket, opens = plan.ticket, plan.placement.opens
        if plan.rotation:
            self.rotations[plan.rotation[0]] = plan.rotation[1]
        if (opens or plan.placement.reopens) and ticket.status != "solved":
            self.took(ticket, plan.weight)
        if opens and ticket.agent is not None:
            self.last_assigned[(ticket.workspace, ticket.agent)] = now
            self.last_agents[(ticket.workspace, ticket.customer, ticket.department)] = (
                ticket.agent,
                ticket.created_at,
            )
        return self

    def took(self, ticket: Ticket, weight: int) -> None:
        """One more ticket for its agent, or for its queue."""
        if ticket.agent is None:
            queue = (ticket.workspace, ticket.department)
            self.waiting[queue] = self.waiting.get(queue, 0) + 1
        else:
            key = (ticket.workspace, ticket.agent)
            self.load[key] = self.load.get(key, 0) + weight


def customer_of(resolved: ResolvedMessage) -> CustomerLink:
    """Whose message it is. What is routed has a customer: the worker rejects it otherwise."""
    assert resolved.customer is not None
    return resolved.customer


def known_of(resolved: ResolvedMessage, facts: Facts) -> Known:
    """What rules may read of the customer."""
    customer = customer_of(resolved)
    tags = facts.tags.get((resolved.workspace, customer.id), ())
    return Known(customer.trust, tags, resolved.orders)


def answered_key(workspace: UUID, to: To) -> Answered:
    """Under which it is kept when an addressee was answered."""
    return (workspace, to.channel, to.recipient)


def shown_of(known: Known, rules: RuleSet) -> dict[str, Any]:
    """The customer's tags for the decision record, as far as some rule asks for them; orders are in its context."""
    read: dict[str, Any] = {}
    if rules.reads("customer_tags") and known.tags:
        read["customer_tags"] = list(known.tags)
    return read


def is_routed(message: InboundMessage) -> bool:
    """Whether it belongs to a ticket by itself: messages, and telephone calls that are over. A call of ours that nobody
    took is no work."""
    if message.kind != "call" or message.channel != "call":
        return message.kind == "message"
    return is_answered(message) or is_unanswered(message)


def is_unanswered(message: InboundMessage) -> bool:
    """A call of a customer's that nobody took: somebody calls back."""
    event = message.fields.get("event")
    return message.kind == "call" and message.direction == "in" and event in ("missed", "voicemail")


def is_echo(message: InboundMessage) -> bool:
    """What an agent wrote past us, in the network's own program: it is shown on the ticket of its chat, and opens none."""
    return message.kind == "echo" and message.conversation_key is not None
