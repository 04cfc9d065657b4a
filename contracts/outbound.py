"""OutboundMessage: a finished message for a sender to transport. Payload of `frontdesk.outbound.v1`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from contracts.base import Payload


class OutboundMessage(Payload, frozen=True, kw_only=True):
    """Text, addresses and headers are final: a sender transports and reports, it decides nothing."""

    outbound_id: UUID
    workspace: UUID
    ticket_id: UUID | None
    """Null: it is about no ticket (a code that proves an address)."""
    channel: str
    account: str
    recipient: str
    text: str
    created_at: datetime
    subject: str | None = None
    html: str | None = None
    in_reply_to: str | None = None
    headers: dict[str, str] = {}
    not_before: datetime | None = None
    sender: str | None = None
    """Mail: the From field, `Shop Returns <returns@shop.example>`."""
    reply_to: str | None = None
    """Mail: the address that answers go to, with the ticket's token in it."""
    message_id: str | None = None
    """Mail: without angle brackets. The same however often it is sent, so that a second copy can be told."""
    references: tuple[str, ...] = ()
    """Mail: ids of the conversation, oldest first, without angle brackets."""
    bounces_to: str | None = None
    """Mail: the envelope's sender. Empty: nobody (automatic mail). Null: the address of `sender`."""
