"""Notification: tells a group of agents that a ticket wants them. Payload of `frontdesk.notification.v1`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.base import Payload


class Notification(Payload, frozen=True, kw_only=True):
    """One a group and cause: a repeat has the same id. Who reads it brings it to the agents, by mail, chat or in their
    program."""

    notification_id: UUID
    workspace: UUID
    ticket_id: UUID
    number: int
    group: str
    """A department, or an agent whom a rule named."""
    agents: tuple[str, ...]
    """Everybody of the group, whether they are there or not."""
    reason: Literal["ticket created", "customer replied", "rule", "identity in doubt"]
    """`identity in doubt`: who wrote it is not proven any more; a note on the ticket says why."""
    occurred_at: datetime
    subject: str | None = None
    message_id: UUID | None = None
    """The message that is the cause; null: time, or what somebody did."""
