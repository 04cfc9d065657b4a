"""ResolvedMessage: an inbound message with the customer it belongs to. Payload of `frontdesk.resolved.v1`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from contracts.base import Payload

Trust = Literal["none", "claimed", "channel", "verified", "authoritative"]


class Position(Payload, frozen=True, kw_only=True):
    """Where a record lies on its topic."""

    topic: str
    partition: int
    offset: int


class CustomerLink(Payload, frozen=True, kw_only=True):
    """Who it is, and why."""

    id: UUID
    is_new: bool = False
    trust: Trust = "none"
    matched_by: str | None = None
    """The kind of handle that matched (`email`, `telegram_user` …); null when nothing did."""


class Suggestion(Payload, frozen=True, kw_only=True):
    """Another customer that people may want to merge with this one."""

    customer: UUID
    reason: str
    evidence: str = ""


class Order(Payload, frozen=True, kw_only=True):
    """An order of the customer as it was when the decision was made."""

    number: str
    status: str | None = None


class RecentTicket(Payload, frozen=True, kw_only=True):
    """An earlier ticket of the customer, newest first, as it was when the decision was made."""

    ticket: UUID
    number: int
    subject: str | None = None
    status: str = "new"
    created_at: datetime | None = None


class ResolvedMessage(Payload, frozen=True, kw_only=True):
    """`inbound` holds the bytes of the inbound record unchanged: decode them with `InboundMessage`."""

    workspace: UUID
    message_id: UUID
    position: Position
    inbound: msgspec.Raw
    customer: CustomerLink | None = None
    """Null: an event that makes nobody a customer (a bounce, a status …), of somebody who is not known."""
    suggestions: tuple[Suggestion, ...] = ()
    orders: tuple[Order, ...] = ()
    order_context: str | None = None
    recent_tickets: tuple[RecentTicket, ...] = ()
