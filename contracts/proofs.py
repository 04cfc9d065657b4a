"""Proofs that come without a message: a code that was mailed and came back, a colleague's word, a record of the shop's own.
They travel as events on `frontdesk.inbound.v1`, like everything that says who somebody is."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts import ids
from contracts.errors import Poison
from contracts.inbound import Handle, InboundMessage, Sender

CHANNEL = "proof"
"""No door takes it: only the desk and the page behind a mailed link write such events."""

Source = Literal["code", "agent", "import"]

_CUSTOMER, _ACTOR, _REASON = "customer", "actor", "reason"


def proof(
    workspace: UUID,
    source: Source,
    unique: str,
    handles: tuple[Handle, ...],
    at: datetime,
    *,
    customer: UUID | None = None,
    actor: str | None = None,
    reason: str | None = None,
    name: str | None = None,
) -> InboundMessage:
    """That `customer` holds these handles; null: whoever holds them is one person. `unique`: the same proof twice is one."""
    told = {_CUSTOMER: str(customer) if customer else None, _ACTOR: actor, _REASON: reason}
    return InboundMessage(
        message_id=ids.message_id(workspace, CHANNEL, source, unique),
        workspace=workspace,
        channel=CHANNEL,
        account=source,
        provider_id=unique,
        received_at=at,
        kind="system",
        sender=Sender(handles=handles, display_name=name),
        fields={field: value for field, value in told.items() if value is not None},
    )


def is_proof(message: InboundMessage) -> bool:
    return message.channel == CHANNEL


def subject(message: InboundMessage) -> UUID | None:
    """Whom a proof is about; null for a proof that names nobody, and for what is none. Raises
    `Poison` for what nobody of ours wrote."""
    named = message.fields.get(_CUSTOMER) if is_proof(message) else None
    try:
        return UUID(named) if named is not None else None
    except ValueError:
        raise Poison("undecodable", "a proof of a customer that has no such id") from None


def said_by(message: InboundMessage) -> tuple[str | None, str | None]:
    """Who proves it, and why: of a proof that a person gave."""
    fields = message.fields if is_proof(message) else {}
    return fields.get(_ACTOR), fields.get(_REASON)
