"""What an agent sees of a ticket that is theirs to see: nothing of another department's tickets that it tells of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from contracts.base import encode
from contracts.ticket import Ticket
from sinks.postgres.ticket_reads import Decision


def seen(ticket: Ticket, visible: Sequence[str] | None) -> Ticket:
    """The ticket with the earlier ones of visible departments; None: of all."""
    context = ticket.context
    if visible is None or context is None:
        return ticket
    recent = tuple(one for one in context.recent_tickets if one.department in visible)
    return msgspec.structs.replace(ticket, context=msgspec.structs.replace(context, recent_tickets=recent))


def seen_decision(decision: Decision, visible: Sequence[str] | None) -> Decision:
    """The same of a decision record; one that tells of no other tickets keeps its bytes."""
    record: dict[str, Any] = msgspec.json.decode(decision.record) if visible is not None else {}
    recent = record.get("context", {}).get("recent_tickets")
    if not recent:
        return decision
    record["context"]["recent_tickets"] = [one for one in recent if one.get("department") in (visible or ())]
    return msgspec.structs.replace(decision, record=msgspec.Raw(encode(record)))
