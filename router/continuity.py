"""Does a message belong to a ticket that is there? Threading is not identity: a quoted id alone opens no door (I19)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from contracts.inbound import InboundMessage
from router.facts import Facts, Participant, TicketFacts, chat_key, participant
from router.ruleset import RuleSet


@dataclass(frozen=True, slots=True)
class Continuation:
    """The ticket to join, or the one that a new ticket refers to; and why."""

    joins: TicketFacts | None = None
    refers_to: UUID | None = None
    reason: str = "new_conversation"


def continuation(message: InboundMessage, facts: Facts, rules: RuleSet, now: datetime) -> Continuation:
    """By chat, then by stored Message-IDs from the last named to the first. Every form opens a ticket."""
    if message.conversation_key is not None:
        named = facts.by_ref.get((message.workspace, "chat", chat_key(message)), ())
        found = [facts.tickets[ticket] for ticket in named if ticket in facts.tickets]
        return _newest(found, rules, now, "chat")
    refused: TicketFacts | None = None
    for reference in reversed(message.reply_to):
        named = facts.by_ref.get((message.workspace, "mail", reference), ())
        found = [facts.tickets[ticket] for ticket in named if ticket in facts.tickets]
        joinable = [ticket for ticket in found if _takes_part(message, ticket)]
        if joinable:
            return _newest(joinable, rules, now, "mail.reference")
        refused = refused or (_last(found) if found else None)
    if refused is None:
        return Continuation()
    failed = message.sender.authentication == "fail"
    return Continuation(
        None, refused.ticket.id, "mail.authentication_failed" if failed else "mail.not_a_participant"
    )


def _newest(found: Sequence[TicketFacts], rules: RuleSet, now: datetime, reason: str) -> Continuation:
    if not found:
        return Continuation()
    newest = _last(found)
    if newest.ticket.status != "solved":
        return Continuation(newest, None, reason)
    window = timedelta(days=rules.workspace.reopen_days)
    if now - newest.ticket.updated_at <= window:
        return Continuation(newest, None, f"{reason}.reopened")
    return Continuation(None, newest.ticket.id, f"{reason}.too_old")


def _last(found: Sequence[TicketFacts]) -> TicketFacts:
    return max(found, key=lambda facts: (facts.ticket.created_at, facts.ticket.number))


def _takes_part(message: InboundMessage, facts: TicketFacts) -> bool:
    if message.sender.authentication == "fail":
        return False
    return any(person in facts.participants for person in senders(message))


def senders(message: InboundMessage) -> tuple[Participant, ...]:
    """The sender's handles in the form that participants are kept in."""
    return tuple(participant(h.kind, h.value) for h in message.sender.handles if h.proof != "mentioned")


def joining(message: InboundMessage) -> tuple[Participant, ...]:
    """Who takes part because of this message: the sender; those in To and Cc only if the sender is proven."""
    people = list(senders(message))
    if any(handle.proof in ("verified", "authoritative") for handle in message.sender.handles):
        people += [participant("email", r.value) for r in message.recipients if r.role in ("to", "cc")]
    return tuple(dict.fromkeys(people))
