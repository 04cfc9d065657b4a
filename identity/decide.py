"""Whose message it is: a pure decision over the handles it shows and the customers who hold them.

The rules are the trust model's (I1, I2, I4): a proven handle belongs to one customer; a claim attaches the
message, visibly, and changes nothing; nobody is merged here.

What a message has linked itself is no fact for it. So it is decided the same way when it is read again, and what a crash
kept from being produced is produced then.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from contracts import ids
from contracts.inbound import PROOFS, InboundMessage, Kind
from contracts.resolved import Suggestion, Trust
from identity.evidence import HandleKey, Observation

ClaimPolicy = Literal["attach", "separate"]

FOUNDING: frozenset[Kind] = frozenset({"message", "edit", "call", "chat_session"})
"""Events by which somebody becomes a customer. The others (bounces, statuses, reactions, ratings …) are about customers
who are there, or about nobody."""


class Holder(NamedTuple):
    """Who holds a handle: the root customer, after merges; since when, and by which message."""

    since: datetime
    customer: UUID
    evidence: UUID


@dataclass(frozen=True, slots=True)
class Link:
    """A handle to be written for a customer, with what proves it."""

    observation: Observation
    customer: UUID


@dataclass(frozen=True, slots=True)
class Plan:
    """Whose the message is, and what is to be written for that."""

    message: InboundMessage
    customer: UUID | None = None
    """None: an event that founds no customer, of nobody who is known."""
    founded_by: Observation | None = None
    """The handle that makes this customer new; None as well for a person of this message alone."""
    is_new: bool = False
    trust: Trust = "none"
    matched_by: str | None = None
    links: tuple[Link, ...] = ()
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(slots=True)
class Facts:
    """Who holds the handles of a batch; of several claimants the earliest."""

    verified: dict[HandleKey, Holder] = field(default_factory=dict)
    claimed: dict[HandleKey, Holder] = field(default_factory=dict)

    def after(self, plan: Plan) -> Facts:
        """The facts that the next message of the batch is decided on. Equal to reading them again."""
        for link in plan.links:
            key = link.observation.key
            holder = Holder(plan.message.received_at, link.customer, plan.message.message_id)
            if link.observation.proven:
                self.verified.setdefault(key, holder)
            else:
                self.claimed[key] = min(holder, self.claimed.get(key, holder))
        return self


def resolve(
    message: InboundMessage, seen: Sequence[Observation], facts: Facts, policy: ClaimPolicy = "attach"
) -> Plan:
    """The plan for one message. `seen` is in order of priority (`evidence.observations`)."""
    proven = [o for o in seen if o.proven]
    claims = [o for o in seen if not o.proven]
    # A failed authentication is no claim of the holder: it stays on a person of its own whatever the policy.
    authentic = message.sender.authentication != "fail"
    attaches = authentic and policy == "attach"
    if message.kind not in FOUNDING:
        return _attached(message, seen if attaches else proven, facts) or Plan(message)
    if proven:
        return _proven(message, proven, claims, facts)
    if claims and attaches:
        return _attached(message, claims, facts) or _founded(message, claims, facts.claimed, "claimed")
    return _apart(message, claims if authentic else (), facts)


def _proven(
    message: InboundMessage, proven: Sequence[Observation], claims: Sequence[Observation], facts: Facts
) -> Plan:
    trust = _strongest(proven)
    held = [(o, customer) for o in proven if (customer := _holder(o, facts.verified, message))]
    if not held:
        plan = _founded(message, (*proven, *claims), facts.verified, trust)
        # Who only claimed what is now proven is never joined, but shown to people (example 17).
        return replace(
            plan, suggestions=_others(plan, _holders(proven, facts.claimed, message), "claimed_before")
        )
    (matched, customer), *_ = held
    taken = {o.key for o, _ in held}
    links = tuple(Link(o, customer) for o in proven if o.key not in taken)
    plan = Plan(message, customer, trust=trust, matched_by=matched.key[1], links=links)
    return replace(plan, suggestions=_others(plan, [c for _, c in held], "verified_together"))


def _attached(message: InboundMessage, shown: Sequence[Observation], facts: Facts) -> Plan | None:
    """The plan that changes nothing: the message goes to whom the handles are proven for, else to who claims them. What
    is proven never goes to a customer that only claims it."""
    claims = [o for o in shown if not o.proven]
    for holders, candidates in ((facts.verified, shown), (facts.claimed, claims)):
        for o in candidates:
            if customer := _holder(o, holders, message):
                return Plan(message, customer, trust=o.proof, matched_by=o.key[1])
    return None


def _founded(
    message: InboundMessage, shown: Sequence[Observation], held: Mapping[HandleKey, Holder], trust: Trust
) -> Plan:
    """A new customer, named by the first handle. `held` has that handle only if this very message linked it before."""
    founder = shown[0]
    again = held.get(founder.key)
    customer = (
        again.customer if again else ids.customer_id(message.workspace, founder.proven, *founder.key[1:])
    )
    return Plan(message, customer, founder, True, trust, links=tuple(Link(o, customer) for o in shown))


def _apart(message: InboundMessage, claims: Sequence[Observation], facts: Facts) -> Plan:
    """A person of this message alone, with its claims; who holds them is shown to people (example 1b)."""
    customer = ids.anonymous_customer_id(message.workspace, message.message_id)
    links = tuple(Link(o, customer) for o in claims)
    plan = Plan(message, customer, is_new=True, trust="claimed" if claims else "none", links=links)
    holders = [*_holders(claims, facts.verified, message), *_holders(claims, facts.claimed, message)]
    return replace(plan, suggestions=_others(plan, holders, "claimed_handle"))


def _holder(shown: Observation, holders: Mapping[HandleKey, Holder], message: InboundMessage) -> UUID | None:
    found = holders.get(shown.key)
    return None if found is None or found.evidence == message.message_id else found.customer


def _holders(
    shown: Iterable[Observation], holders: Mapping[HandleKey, Holder], message: InboundMessage
) -> list[UUID]:
    return [customer for o in shown if (customer := _holder(o, holders, message))]


def _others(plan: Plan, customers: Iterable[UUID], reason: str) -> tuple[Suggestion, ...]:
    return tuple(
        Suggestion(customer=c, reason=reason) for c in dict.fromkeys(customers) if c != plan.customer
    )


def _strongest(proven: Sequence[Observation]) -> Trust:
    return max((o.proof for o in proven), key=PROOFS.index)
