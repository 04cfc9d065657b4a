"""Does a message belong to a ticket that is there? Threading is not identity: a quoted id alone opens no door (I19)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from contracts.inbound import InboundMessage
from router.facts import Facts, Participant, Ref, TicketFacts, call_key, chat_key, number_ref, participant
from router.ruleset import RuleSet


@dataclass(frozen=True, slots=True)
class Continuation:
    """The ticket to join, or the one that a new ticket refers to; and why."""

    joins: TicketFacts | None = None
    refers_to: UUID | None = None
    reason: str = "new_conversation"
    considered: tuple[Considered, ...] = ()
    """Everything that was read to decide so."""


class Considered(NamedTuple):
    """A ticket that the message names, by which reference, and whether the sender may join it."""

    ref: Ref
    facts: TicketFacts
    takes_part: bool


def continuation(message: InboundMessage, facts: Facts, rules: RuleSet, now: datetime) -> Continuation:
    """By the call, by chat, then by a reply token of ours, by stored Message-IDs from the last named to the first, and by
    ticket numbers. Every form opens a ticket."""
    considered = tuple(_considered(message, facts))
    if not considered:
        return Continuation()
    last = considered[-1]
    if last.takes_part:
        return _joined(message, last.facts, _REASONS[last.ref[0]], considered, rules, now)
    failed = message.sender.authentication == "fail"
    reason = "mail.authentication_failed" if failed else "mail.not_a_participant"
    return Continuation(None, considered[0].facts.ticket.id, reason, considered)


_REASONS = {
    "call": "call",
    "chat": "chat",
    "token": "mail.token",
    "mail": "mail.reference",
    "number": "mail.ticket_number",
}
_VOUCHED = ("call", "chat", "token")
"""Who names a ticket so belongs to it: whoever writes in a chat takes part in it, and a token is made for one address."""


def _considered(message: InboundMessage, facts: Facts) -> Iterator[Considered]:
    """In the order in which they are tried, each ticket once, up to the first that may be joined."""
    refused: set[UUID] = set()
    for ref in _named(message):
        named = facts.by_ref.get((message.workspace, *ref), ())
        found = _newest_first([facts.tickets[ticket] for ticket in named if ticket in facts.tickets])
        for candidate in found:
            takes_part = ref[0] in _VOUCHED or _takes_part(message, candidate)
            if takes_part or (candidate.ticket.id not in refused and len(refused) < _REFUSED):
                yield Considered(ref, candidate, takes_part)
            if takes_part:
                return
            refused.add(candidate.ticket.id)


# More tickets of others than this need not be shown.
_REFUSED = 10


def _named(message: InboundMessage) -> list[Ref]:
    call = [("call", call_key(message))] if message.kind == "call" and message.target is not None else []
    if message.conversation_key is not None:
        return [*call, ("chat", chat_key(message))]
    return call or [
        *(number_ref(ticket) for ticket in message.tickets if ticket.signed),
        *(("mail", reference) for reference in reversed(message.reply_to)),
        *(number_ref(ticket) for ticket in message.tickets if not ticket.signed),
    ]


def _joined(
    message: InboundMessage,
    newest: TicketFacts,
    reason: str,
    considered: tuple[Considered, ...],
    rules: RuleSet,
    now: datetime,
) -> Continuation:
    if newest.ticket.status != "solved":
        return Continuation(newest, None, reason, considered)
    if "automated" in message.marks:
        # A program never reopens a ticket; what it sent is work of its own all the same.
        return Continuation(None, newest.ticket.id, f"{reason}.automated", considered)
    window = timedelta(days=rules.workspace.reopen_days)
    if now - newest.ticket.updated_at <= window:
        return Continuation(newest, None, f"{reason}.reopened", considered)
    return Continuation(None, newest.ticket.id, f"{reason}.too_old", considered)


def _newest_first(found: Sequence[TicketFacts]) -> list[TicketFacts]:
    return sorted(found, key=lambda facts: (facts.ticket.created_at, facts.ticket.number), reverse=True)


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
