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
    """An order as its shop told it when the decision was made. Words for states are the shop's own, in lower case."""

    number: str
    """As the shop writes it, without `#`."""
    status: str | None = None
    """`open`, `closed`, `cancelled`, or what a shop of its own says."""
    store: str | None = None
    payment: str | None = None
    """`paid`, `pending`, `refunded` …"""
    fulfilment: str | None = None
    """`unfulfilled`, `fulfilled`, `in_progress` …"""
    total: str | None = None
    """A decimal number, in `currency` (ISO 4217)."""
    currency: str | None = None
    placed_at: datetime | None = None
    named: bool = False
    """The message names it: in its text, or in the form's field."""
    proven: bool = False
    """It was ordered with an address or a number that the customer has verified. Otherwise somebody may only have typed
    the order's number, or the address: it says nothing about who wrote."""


class RecentTicket(Payload, frozen=True, kw_only=True):
    """An earlier ticket of the customer, newest first, as it was when the decision was made."""

    ticket: UUID
    number: int
    subject: str | None = None
    status: str = "new"
    created_at: datetime | None = None
    summary: str | None = None
    """How its first message begins, on one line."""
    channel: str | None = None
    department: str | None = None


OrderContext = Literal["available", "unavailable"]


class Context(Payload, frozen=True, kw_only=True):
    """What was known about the customer's orders and earlier tickets when a message was decided on."""

    order_numbers: tuple[str, ...] = ()
    """Orders that the message names, also those that no shop knows: by the shop's own pattern, or in the form's field."""
    orders: tuple[Order, ...] = ()
    """Those that are named first, then the customer's newest."""
    order_context: OrderContext | None = None
    """`unavailable`: the shop did not answer, so orders may be missing. Null: no shop was asked."""
    recent_tickets: tuple[RecentTicket, ...] = ()


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
    order_context: OrderContext | None = None
    recent_tickets: tuple[RecentTicket, ...] = ()
    order_numbers: tuple[str, ...] = ()

    @property
    def context(self) -> Context | None:
        """The last four as one value; null when there is nothing in it."""
        known = Context(
            order_numbers=self.order_numbers,
            orders=self.orders,
            order_context=self.order_context,
            recent_tickets=self.recent_tickets,
        )
        return None if known == Context() else known
