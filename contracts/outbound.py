"""OutboundMessage: a finished message for a sender to transport. Payload of `frontdesk.outbound.v1`."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from contracts.base import Payload


class OutboundMessage(Payload, frozen=True, kw_only=True):
    """Text, addresses and headers are final: a sender transports and reports, it decides nothing."""

    outbound_id: UUID
    workspace: UUID
    ticket_id: UUID
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
