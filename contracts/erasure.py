"""What is left of payloads when the person they are about is erased: what the books need, and nothing that was said."""

from __future__ import annotations

from typing import Any

import msgspec

from contracts.inbound import InboundMessage
from contracts.resolved import Position, ResolvedMessage
from contracts.ticket import Cause, Ticket, TicketEvent

MARK = "erased"
"""In `marks` of a message of which only this is left."""

PERSONAL_OF_TICKETS = frozenset(("subject", "context"))
TEXTS_OF_TICKETS = frozenset(
    (
        *("trust", "channel", "account", "store", "department", "priority", "status", "step", "category"),
        *("category_id", "sla", "agent", "queue", "tags", "language"),
    )
)
"""Every other field that can hold a text. A new one has to be decided about."""

_KEPT_OF_RECORDS = frozenset(
    ("now", "rule_set", "department", "category", "priority", "deadline", "customer", "assignment")
)


def without_person(message: InboundMessage) -> InboundMessage:
    """The message as an event that founds nobody and opens nothing: its id, its door and when it came."""
    return InboundMessage(
        message_id=message.message_id,
        workspace=message.workspace,
        channel=message.channel,
        account=message.account,
        provider_id=f"erased:{message.message_id}",
        received_at=message.received_at,
        kind="system",
        direction=message.direction,
        marks=(MARK,),
    )


def resolved_without_person(message: InboundMessage, position: Position) -> ResolvedMessage:
    """The same, resolved: it belongs to nobody."""
    bare = without_person(message)
    return ResolvedMessage(
        workspace=bare.workspace,
        message_id=bare.message_id,
        position=position,
        inbound=msgspec.Raw(msgspec.json.encode(bare, order="sorted")),
    )


def ticket_without_person(ticket: Ticket) -> Ticket:
    """The snapshot with what work and figures rest on."""
    return msgspec.structs.replace(ticket, **dict.fromkeys(PERSONAL_OF_TICKETS))


def record_without_person(record: dict[str, Any]) -> dict[str, Any]:
    """A decision record with what was decided, and without the words and references that it was decided by."""
    return {name: value for name, value in record.items() if name in _KEPT_OF_RECORDS} | {"erased": True}


def event_without_person(event: TicketEvent) -> TicketEvent:
    """An event that is not published yet."""
    cause = Cause(actor=event.cause.actor, message_id=event.cause.message_id, rule_set=event.cause.rule_set)
    return msgspec.structs.replace(event, ticket=ticket_without_person(event.ticket), cause=cause)
