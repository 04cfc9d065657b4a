"""Whose message is it: a pure decision over the handles it shows and the customers who hold them.

The rules are the trust model's (operations.md, I1, I2, I4): a proven handle belongs to one customer; a claim attaches the
message, visibly, and changes nothing; nobody is merged here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from contracts import ids
from contracts.inbound import InboundMessage
from contracts.resolved import Suggestion, Trust
from identity.evidence import HandleKey, Observation

ClaimPolicy = Literal["attach", "separate"]


@dataclass(frozen=True, slots=True)
class Link:
    """A handle to be written for a customer, with what proves it."""

    observation: Observation
    customer: UUID


@dataclass(frozen=True, slots=True)
class Plan:
    """Whose the message is, and what is to be written for that."""

    message: InboundMessage
    customer: UUID
    founded_by: Observation | None = None
    """The handle that makes this customer new; None as well for a person without any handle."""
    is_new: bool = False
    trust: Trust = "none"
    matched_by: str | None = None
    links: tuple[Link, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(slots=True)
class Facts:
    """Who holds the handles of a batch: root customers, after merges."""

    verified: dict[HandleKey, UUID] = field(default_factory=dict)
    claimed: dict[HandleKey, UUID] = field(default_factory=dict)
    known: set[tuple[UUID, UUID]] = field(default_factory=set)

    def after(self, plan: Plan) -> Facts:
        """The facts that the next message of the batch is decided on. Equal to reading them again."""
        if plan.is_new:
            self.known.add((plan.message.workspace, plan.customer))
        for link in plan.links:
            holders = self.verified if link.observation.proven else self.claimed
            holders.setdefault(link.observation.key, link.customer)
        return self


def resolve(
    message: InboundMessage, seen: Sequence[Observation], facts: Facts, policy: ClaimPolicy = "attach"
) -> Plan:
    """The plan for one message. `seen` is in order of priority (`evidence.observations`)."""
    proven = [o for o in seen if o.proven]
    if proven:
        return _proven(message, proven, [o for o in seen if not o.proven], facts)
    # A failed authentication is no claim of the holder: it stays on a person of its own whatever the policy.
    if seen and policy == "attach" and message.sender.authentication != "fail":
        return _claimed(message, seen, facts)
    return _stranger(message, facts)


def _proven(
    message: InboundMessage, proven: Sequence[Observation], claims: Sequence[Observation], facts: Facts
) -> Plan:
    holders = [(o, facts.verified[o.key]) for o in proven if o.key in facts.verified]
    trust = _strongest(proven)
    if not holders:
        founder = proven[0]
        customer = ids.customer_id(message.workspace, True, founder.key[1], founder.key[2])
        links = tuple(Link(o, customer) for o in (*proven, *claims))
        return Plan(message, customer, founder, True, trust, None, links, _claimants(proven, customer, facts))
    matched, customer = holders[0]
    links = tuple(Link(o, customer) for o in proven if o.key not in facts.verified)
    others = dict.fromkeys(other for _, other in holders if other != customer)
    suggestions = tuple(Suggestion(customer=other, reason="verified_together") for other in others)
    return Plan(
        message, customer, trust=trust, matched_by=matched.key[1], links=links, suggestions=suggestions
    )


def _claimants(proven: Sequence[Observation], customer: UUID, facts: Facts) -> tuple[Suggestion, ...]:
    """Who only claimed what is now proven: never joined, shown to people (example 17)."""
    claimants = dict.fromkeys(facts.claimed[o.key] for o in proven if o.key in facts.claimed)
    return tuple(
        Suggestion(customer=other, reason="claimed_before") for other in claimants if other != customer
    )


def _claimed(message: InboundMessage, seen: Sequence[Observation], facts: Facts) -> Plan:
    for holders in (facts.verified, facts.claimed):
        for observation in seen:
            if observation.key in holders:
                return Plan(message, holders[observation.key], trust="claimed", matched_by=observation.key[1])
    founder = seen[0]
    customer = ids.customer_id(message.workspace, False, founder.key[1], founder.key[2])
    links = tuple(Link(o, customer) for o in seen)
    return Plan(message, customer, founder, True, "claimed", None, links)


def _stranger(message: InboundMessage, facts: Facts) -> Plan:
    customer = ids.anonymous_customer_id(message.workspace, message.message_id)
    return Plan(message, customer, is_new=(message.workspace, customer) not in facts.known)


def _strongest(proven: Sequence[Observation]) -> Trust:
    proofs = {observation.proof for observation in proven}
    if "authoritative" in proofs:
        return "authoritative"
    return "verified" if "verified" in proofs else "channel"
