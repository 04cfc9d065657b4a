"""Does a message belong to a ticket that is there? Threading is not identity: a quoted id alone opens no door (I19), and an
order is one of its customer's only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

import msgspec

from contracts.inbound import InboundMessage
from contracts.resolved import ResolvedMessage
from router.conditions import PROVEN
from router.facts import Facts, Participant, TicketFacts, Twin, customer_of, participant
from router.refs import Ref, content, is_answered, named, repeats_within
from router.ruleset import RuleSet

Lost = Literal[
    "authentication_failed",
    "not_a_participant",
    "other_store",
    "policy",
    "unproven",
    "automated",
    "solved",
    "too_old",
    "silent",
]
"""Why a ticket was not joined. `policy`: the workspace links by orders; `unproven`: one of both sides may be anybody;
`automated`: a program never reopens; `solved`: an answered call is no work to reopen a ticket for; `too_old`: solved before the reopen window; `silent`: open, and nothing happened on it
for the continuity window."""


class Continuation(msgspec.Struct, frozen=True):
    """The ticket to join, or the one that a new ticket refers to; and why."""

    joins: TicketFacts | None = None
    refers_to: UUID | None = None
    reason: str = "new_conversation"
    considered: tuple[Considered, ...] = ()
    """Everything that was read to decide so."""
    duplicate_of: UUID | None = None
    """The message that said the same shortly before."""
    said: str | None = None
    """What the message says (`refs.content`)."""


class Considered(NamedTuple):
    """A ticket that the message names, by which reference; whether the sender takes part in it, and whether it is one of the
    customer's own; and why it was not joined, which the last one may have been."""

    ref: Ref
    facts: TicketFacts
    takes_part: bool
    own: bool
    lost: Lost | None


_REASONS = {
    "twin": "duplicate",
    "call": "call",
    "chat": "chat",
    "token": "mail.token",
    "mail": "mail.reference",
    "number": "mail.ticket_number",
    "order": "order",
    "customer": "call.customer",
}
_VOUCHED = ("twin", "call", "chat", "token", "customer")
"""Who names a ticket so belongs to it: whoever writes in a chat takes part in it, a token is made for one address, and who
says the same again is who said it. Of an answered call an agent knows who it was with."""
_MAIL_REFUSALS = ("authentication_failed", "not_a_participant")

# More tickets of others than this need not be shown.
_CONSIDERED = 10


def continuation(
    resolved: ResolvedMessage, message: InboundMessage, facts: Facts, rules: RuleSet, now: datetime
) -> Continuation:
    """By what says the same, by the call, by chat, then by a reply token of ours, by stored Message-IDs from the last named to
    the first, by ticket numbers, and by the customer's orders."""
    asked = _Asked(resolved, message, facts, rules, now)
    considered = tuple(_considered(asked))
    duplicate = asked.twin.message if asked.twin else None
    if not considered:
        return Continuation(said=asked.said)
    last = considered[-1]
    reason = _REASONS[last.ref[0]]
    if last.lost is None:
        reopened = ".reopened" if last.facts.ticket.status == "solved" else ""
        return Continuation(last.facts, None, reason + reopened, considered, duplicate, asked.said)
    # What the sender belongs to says more than what anybody can quote. Of others' tickets the first is meant: the later ones
    # are of strangers who quoted it too.
    quoted = (one for one in considered if one.ref == considered[0].ref)
    first = min(quoted, key=lambda one: (one.facts.ticket.created_at, one.facts.ticket.number))
    nearest = next((one for one in considered if one.takes_part or one.own), first)
    reason = "mail" if nearest.lost in _MAIL_REFUSALS else _REASONS[nearest.ref[0]]
    refers_to, reason = nearest.facts.ticket.id, f"{reason}.{nearest.lost}"
    return Continuation(None, refers_to, reason, considered, duplicate, asked.said)


class _Asked:
    """One message with everything that the question is about."""

    def __init__(
        self,
        resolved: ResolvedMessage,
        message: InboundMessage,
        facts: Facts,
        rules: RuleSet,
        now: datetime,
    ) -> None:
        self.message, self.facts, self.rules, self.now = message, facts, rules, now
        self.customer = customer_of(resolved)
        self.family = facts.family(message.workspace, self.customer.id)
        self.said = content(message)
        self.twin = _twin(message, self.said, facts)
        self.refs = named(resolved, message, self.family)

    def candidates(self) -> Iterator[tuple[Ref, TicketFacts]]:
        """In the order in which they are tried; each ticket once a kind of reference."""
        seen: set[tuple[str, UUID]] = set()
        for ref, tickets in self._named():
            known = [self.facts.tickets[ticket] for ticket in tickets if ticket in self.facts.tickets]
            for candidate in _newest_first(known):
                key = (ref[0], candidate.ticket.id)
                if key not in seen:
                    seen.add(key)
                    yield ref, candidate

    def _named(self) -> Iterator[tuple[Ref, Sequence[UUID]]]:
        if self.twin:
            yield ("twin", str(self.twin.message)), (self.twin.ticket,)
        for ref in self.refs:
            yield ref, self.facts.by_ref.get((self.message.workspace, *ref), ())

    def judged(self, ref: Ref, candidate: TicketFacts) -> Considered:
        own = candidate.ticket.customer in self.family
        takes_part = ref[0] in _VOUCHED or any(
            person in candidate.participants for person in senders(self.message)
        )
        lost = self._refusal(ref[0], candidate, takes_part, own) or self._is_over(ref[0], candidate)
        return Considered(ref, candidate, takes_part, own, lost)

    def _refusal(self, kind: str, candidate: TicketFacts, takes_part: bool, own: bool) -> Lost | None:
        """Who may join."""
        if kind in _VOUCHED:
            return None
        if self.message.sender.authentication == "fail":
            return "authentication_failed"
        proven = self.customer.trust in PROVEN and candidate.ticket.trust in PROVEN and own
        if kind != "order":
            return None if takes_part or proven else "not_a_participant"
        return self._refused_by_order(candidate, takes_part, proven)

    def _refused_by_order(self, candidate: TicketFacts, takes_part: bool, proven: bool) -> Lost | None:
        """Across channels both sides are proven: else who opened a ticket with somebody's address, and reads its answers in a
        chat, would be shown what that person writes."""
        ticket, store = candidate.ticket, self.rules.store(self.message)
        if store and ticket.store and store != ticket.store:
            return "other_store"
        if self.rules.workspace.continuity == "link":
            return "policy"
        same_channel = takes_part and ticket.channel == self.message.channel
        return None if proven or same_channel else "unproven"

    def _is_over(self, kind: str, candidate: TicketFacts) -> Lost | None:
        """Until when."""
        ticket, workspace = candidate.ticket, self.rules.workspace
        age = self.now - ticket.updated_at
        if ticket.status == "solved":
            if "automated" in self.message.marks:
                # What a program sent is work of its own all the same.
                return "automated"
            if is_answered(self.message) and kind != "call":
                return "solved"
            return "too_old" if age > timedelta(days=workspace.reopen_days) else None
        # A token was made for this very conversation, however slow it is.
        silent = kind != "token" and age > timedelta(days=workspace.continuity_days)
        return "silent" if silent else None


def _considered(asked: _Asked) -> Iterator[Considered]:
    """Up to the first that may be joined."""
    for count, (ref, candidate) in enumerate(asked.candidates()):
        one = asked.judged(ref, candidate)
        if one.lost is None or count < _CONSIDERED:
            yield one
        if one.lost is None:
            return


def _twin(message: InboundMessage, said: str | None, facts: Facts) -> Twin | None:
    found = facts.twins.get((message.workspace, said)) if said else None
    if found is None or found.message == message.message_id:
        return None
    return found if abs(message.received_at - found.received_at) <= repeats_within(message) else None


def _newest_first(found: Sequence[TicketFacts]) -> list[TicketFacts]:
    """What is open before what is solved."""
    return sorted(
        found,
        key=lambda facts: (facts.ticket.status != "solved", facts.ticket.created_at, facts.ticket.number),
        reverse=True,
    )


def senders(message: InboundMessage) -> tuple[Participant, ...]:
    """The sender's handles in the form that participants are kept in."""
    return tuple(participant(h.kind, h.value) for h in message.sender.handles if h.proof != "mentioned")


def joining(message: InboundMessage, opens: bool = True) -> tuple[Participant, ...]:
    """Who takes part because of this message: the sender, to a ticket that is there only as far as it is proven who that is
    (I2); those in To and Cc only if the sender is proven."""
    people = list(senders(message))
    if not opens:
        proven = {participant(h.kind, h.value) for h in message.sender.handles if h.proof in PROVEN}
        people = [one for one in people if one in proven]
    if any(handle.proof in ("verified", "authoritative") for handle in message.sender.handles):
        people += [participant("email", r.value) for r in message.recipients if r.role in ("to", "cc")]
    return tuple(dict.fromkeys(people))


def shown(found: Continuation) -> dict[str, Any]:
    """For the decision record: which tickets were considered, why each was not joined, and what was read of it. It is enough
    to decide again."""
    shown: dict[str, Any] = {"reason": found.reason}
    if found.joins is not None:
        ticket = found.joins.ticket
        shown["ticket"] = str(ticket.id)
        # What rules over the ticket read of it.
        shown["stood"] = {
            "department": ticket.department,
            "category": ticket.category,
            "priority": ticket.priority,
            "agent": ticket.agent,
            "tags": list(ticket.tags),
        }
    if found.refers_to is not None:
        shown["refers_to"] = str(found.refers_to)
    if found.duplicate_of is not None:
        shown["duplicate_of"] = str(found.duplicate_of)
    if found.considered:
        shown["considered"] = [_shown(one) for one in found.considered]
    return shown


def _shown(one: Considered) -> dict[str, Any]:
    ticket = one.facts.ticket
    return {
        "ref": list(one.ref),
        "ticket": str(ticket.id),
        "number": ticket.number,
        "status": ticket.status,
        "channel": ticket.channel,
        "store": ticket.store,
        "trust": ticket.trust,
        "created_at": ticket.created_at.isoformat(),
        "updated_at": ticket.updated_at.isoformat(),
        "takes_part": one.takes_part,
        "own": one.own,
        "lost": one.lost,
    }
