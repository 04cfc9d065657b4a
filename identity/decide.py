"""Whose message it is: a pure decision over the handles it shows and the customers who hold them.

The rules are the trust model's: a proven handle belongs to one customer (I1); a claim attaches the message, visibly, and
changes nothing (I2); two customers become one only by what is verified on both sides, while one of them has nothing else to
show (I4), and never against two logins (I3). What several people have proven is worth a claim until somebody decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from contracts import ids
from contracts.inbound import PROOFS, InboundMessage, Kind
from contracts.resolved import Suggestion, Trust
from identity.evidence import HandleKey, Observation
from identity.facts import SURE, Facts, Holder, Person

ClaimPolicy = Literal["attach", "separate"]
Action = Literal["linked", "claimed", "disputed", "contested", "revoked", "seen"]

FOUNDING: frozenset[Kind] = frozenset({"message", "edit", "call", "chat_session"})
"""Events by which somebody becomes a customer. The others (bounces, statuses, reactions, ratings …) are about customers
who are there, or about nobody."""

_CONTACTS = ("email", "phone")


@dataclass(frozen=True, slots=True)
class Link:
    """What is written about a handle and a customer. `linked` and `claimed` make a link; `disputed`: the customer proved
    what `other` holds; `contested`: the customer held what `other` proved, and is no longer sure of it; `revoked`: the
    customer gave it up; `seen`: the customer proved it once more."""

    observation: Observation
    customer: UUID
    action: Action
    root: UUID
    """The customer after merges; `customer` is whose link it is, so that an undone merge finds it in its place."""
    other: UUID | None = None


@dataclass(frozen=True, slots=True)
class Merge:
    """Two root customers are one, for this handle is verified on both sides."""

    source: UUID
    target: UUID
    by: Observation


@dataclass(frozen=True, slots=True)
class Plan:
    """Whose the message is, and what is to be written for that."""

    message: InboundMessage
    customer: UUID | None = None
    """None: an event that founds no customer, of nobody who is known."""
    founded_by: Observation | None = None
    """The handle that makes this customer new; None as well for a person of this message alone."""
    generation: int = 0
    is_new: bool = False
    trust: Trust = "none"
    matched_by: str | None = None
    links: tuple[Link, ...] = ()
    merge: Merge | None = None
    suggestions: tuple[Suggestion, ...] = ()


@dataclass(frozen=True, slots=True)
class Held:
    """A proven handle of the message with who holds it."""

    shown: Observation
    holder: Holder


def resolve(
    message: InboundMessage, seen: Sequence[Observation], facts: Facts, policy: ClaimPolicy = "attach"
) -> Plan:
    """The plan for one message. `seen` is in order of priority (`evidence.observations`)."""
    shown = [o for o in seen if not facts.is_shared(o.key, message.message_id)]
    doubtful = [o for o in shown if o.proven and facts.is_contested(o.key, message.message_id)]
    # A proof of what is in dispute says no more than a claim.
    shown = [replace(o, proof="claimed") if o in doubtful else o for o in shown]
    proven = [o for o in shown if o.proven]
    claims = [o for o in shown if not o.proven]
    # A failed authentication is no claim of the holder: it stays on a person of its own whatever the policy.
    authentic = message.sender.authentication != "fail"
    attaches = authentic and policy == "attach"
    if message.kind not in FOUNDING:
        return _attached(message, shown if attaches else proven, facts) or Plan(message)
    if proven:
        typed = [o for o in seen if not o.proven]
        return contested(_proven(message, proven, typed, facts), doubtful, facts)
    if claims and attaches:
        return _attached(message, claims, facts) or _founded(message, claims, (), facts, "claimed")
    return _apart(message, claims if authentic else (), facts)


def _proven(
    message: InboundMessage, proven: Sequence[Observation], claims: Sequence[Observation], facts: Facts
) -> Plan:
    held = [Held(o, h) for o in proven if (h := facts.holder(o.key, message.message_id))]
    lost = [one for one in held if _changed_hands(one, proven, held, message)]
    refused = [one for one in held if one not in lost and _is_vetoed(one, proven, facts)]
    kept = [one for one in held if one not in lost and one not in refused]
    taken = {one.shown.key for one in held}
    founding = [o for o in proven if o.key not in taken]
    if not kept and not founding:
        # Whatever is doubtful about it, somebody holds each of them: the best one counts.
        kept, lost, refused = held[:1], [one for one in lost if one is not held[0]], refused[1:]
    if kept:
        plan = _joined(message, proven, held, kept, facts)
    else:
        plan = _founded(message, founding, claims, facts, _strongest(founding))
        # Who only claimed what is now proven is never joined, but shown to people (example 17).
        claimants = [h.customer for o in founding if (h := facts.claimant(o.key, message.message_id))]
        plan = replace(plan, suggestions=_others(plan, claimants, "claimed_before"))
    plan = disputed(plan, lost, facts, "changed_hands", both=True)
    return disputed(plan, refused, facts, "different_logins", both=True)


def _changed_hands(
    one: Held, proven: Sequence[Observation], held: Sequence[Held], message: InboundMessage
) -> bool:
    """Whether a handle that was silent for long now comes with another that its holder has not, and with none by which the
    holder was known lately (I16)."""
    own = [other for other in held if other.holder.customer == one.holder.customer]
    if not all(other.holder.is_stale(other.shown.key[1], message.received_at) for other in own):
        return False
    known = {other.shown.key for other in own}
    return any(o.key not in known for o in proven)


def _is_vetoed(one: Held, proven: Sequence[Observation], facts: Facts) -> bool:
    """Whether the holder has another login than the message (I3)."""
    shown = {o.key for o in proven if o.key[1] == "external_id"}
    known = facts.person(one.holder.customer).logins
    return bool(shown and known and not shown & known)


def _joined(
    message: InboundMessage,
    proven: Sequence[Observation],
    held: Sequence[Held],
    kept: Sequence[Held],
    facts: Facts,
) -> Plan:
    """The message goes to the holder of its best handle, who gets those that nobody holds."""
    home = kept[0].holder
    person = facts.person(home.customer)
    taken = {one.shown.key for one in held}
    free = [o for o in _one_login(proven, person) if o.key not in taken]
    if not person.has_room([o.key for o in free]):
        free = []
    links = [Link(o, home.own, "linked", home.customer) for o in free]
    links += [
        Link(one.shown, one.holder.own, "seen", one.holder.customer)
        for one in kept
        if one.holder.is_news(one.shown, message)
    ]
    trust = _strongest([*(one.shown for one in kept), *free])
    plan = Plan(message, home.customer, trust=trust, matched_by=kept[0].shown.key[1], links=tuple(links))
    others = [one for one in kept if one.holder.customer != home.customer]
    # Who else is in doubt here speaks against it, whoever that is.
    merge = _merge(message, home.customer, others, proven, facts) if len(kept) == len(held) else None
    if merge is not None:
        return replace(plan, customer=merge.target, merge=merge)
    return disputed(plan, others, facts, "verified_together")


def _one_login(proven: Sequence[Observation], person: Person) -> list[Observation]:
    """Without logins that a person who has one cannot have too."""
    logins = person.logins or {o.key for o in proven if o.key[1] == "external_id"}
    first = min(logins, default=None)
    allowed = logins if person.logins else {first}
    return [o for o in proven if o.key[1] != "external_id" or o.key in allowed]


def _merge(
    message: InboundMessage,
    home: UUID,
    others: Sequence[Held],
    proven: Sequence[Observation],
    facts: Facts,
) -> Merge | None:
    """Two people become one when one of them has nothing to show but the account that the message came through (I4)."""
    roots = {one.holder.customer for one in others}
    if len(roots) != 1:
        return None
    (other,) = roots
    by = next((one.shown for one in others if one.shown.key[1] != "visitor"), None)
    accounts = {o.key for o in proven if o.key[1] not in _CONTACTS}
    one, second = facts.person(home), facts.person(other)
    sure = any(o.proof in SURE for o in proven)
    if by is None or not sure or len(one.logins | second.logins) > 1:
        return None
    if not facts.may_be_one(one, second, message.received_at):
        return None
    if second.is_bare(accounts):
        return Merge(other, home, by)
    # What both have shown does not keep them apart.
    return Merge(home, other, by) if one.is_bare(accounts | second.proven.keys()) else None


def disputed(plan: Plan, lost: Sequence[Held], facts: Facts, reason: str, both: bool = False) -> Plan:
    """What this customer proved and somebody else holds, shown to people; `both`: the holder is no longer sure of it."""
    owns = {one.shown.key: one.holder.own for one in lost}
    plan = contested(plan, [one.shown for one in lost], facts, owns)
    if both and plan.customer is not None:
        given_up = (
            Link(one.shown, one.holder.own, "contested", one.holder.customer, plan.customer) for one in lost
        )
        plan = replace(plan, links=(*plan.links, *given_up))
    suggested = _others(plan, [one.holder.customer for one in lost], reason)
    return replace(plan, suggestions=(*plan.suggestions, *suggested))


def contested(
    plan: Plan, shown: Sequence[Observation], facts: Facts, owns: Mapping[HandleKey, UUID] | None = None
) -> Plan:
    """That this customer too proved handles which others (`owns`) have proven, unless that is no news."""
    if plan.customer is None:
        return plan
    own = plan.links[0].customer if plan.is_new else plan.customer
    made = []
    for o in shown:
        known = facts.disputed.get(o.key, {}).values()
        again = (h for h in known if h.customer == plan.customer and h.evidence != plan.message.message_id)
        if (before := next(again, None)) is None:
            made.append(Link(o, own, "disputed", plan.customer, (owns or {}).get(o.key)))
        elif before.is_news(o, plan.message):
            made.append(Link(o, before.own, "seen", plan.customer))
    return replace(plan, links=(*plan.links, *made))


def _attached(message: InboundMessage, shown: Sequence[Observation], facts: Facts) -> Plan | None:
    """The plan that changes nothing: the message goes to whom the handles are proven for, else to who claims them. What
    is proven never goes to a customer that only claims it."""
    for o in shown:
        if held := facts.holder(o.key, message.message_id):
            return Plan(message, held.customer, trust=o.proof, matched_by=o.key[1])
    for o in shown:
        if not o.proven and (claim := facts.claimant(o.key, message.message_id)):
            return Plan(message, claim.customer, trust=o.proof, matched_by=o.key[1])
    return None


def _founded(
    message: InboundMessage,
    founding: Sequence[Observation],
    claims: Sequence[Observation],
    facts: Facts,
    trust: Trust,
) -> Plan:
    """A new customer, named by the first handle. Somebody holds that one already only if this very message linked it
    before."""
    founder = founding[0]
    again = (
        facts.linked_by(founder.key, message.message_id) if founder.proven else facts.claimed.get(founder.key)
    )
    generation = facts.generation(founder.key, founder.proven)
    customer = again.own if again else _customer_id(founder, generation)
    root = again.customer if again else customer
    shown = (*_one_login(founding, Person()), *claims)
    links = tuple(Link(o, customer, "linked" if o.proven else "claimed", root) for o in shown)
    return Plan(message, root, founder, generation, True, trust, links=links)


def _customer_id(founder: Observation, generation: int) -> UUID:
    workspace, kind, value = founder.key
    return ids.customer_id(workspace, founder.proven, kind, value, generation)


def _apart(message: InboundMessage, claims: Sequence[Observation], facts: Facts) -> Plan:
    """A person of this message alone, with its claims; who holds them is shown to people (example 1b)."""
    customer = ids.anonymous_customer_id(message.workspace, message.message_id)
    links = tuple(Link(o, customer, "claimed", customer) for o in claims)
    plan = Plan(message, customer, is_new=True, trust="claimed" if claims else "none", links=links)
    keys = [o.key for o in claims]
    return replace(plan, suggestions=_others(plan, _holders(keys, message, facts), "claimed_handle"))


def _holders(keys: Sequence[HandleKey], message: InboundMessage, facts: Facts) -> list[UUID]:
    """Who holds these handles, then who claims them."""
    held = [facts.holder(key, message.message_id) for key in keys]
    claims = [facts.claimant(key, message.message_id) for key in keys]
    return [one.customer for one in (*held, *claims) if one is not None]


def _others(plan: Plan, customers: Iterable[UUID], reason: str) -> tuple[Suggestion, ...]:
    known = {plan.customer, *(suggestion.customer for suggestion in plan.suggestions)}
    return tuple(Suggestion(customer=c, reason=reason) for c in dict.fromkeys(customers) if c not in known)


def _strongest(proven: Sequence[Observation]) -> Trust:
    return max((o.proof for o in proven), key=PROOFS.index)
