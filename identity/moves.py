"""The entry of identity: the plan for one message of any kind, also for a proof without a message, and for the news that a
person has another number or user id now.

Their network says so (WhatsApp's `user_changed_number` and `user_changed_user_id`), so the new one is the person's; and the old
one, which is given to somebody else one day, proves nothing about them any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from contracts.inbound import InboundMessage
from contracts.proofs import is_proof, subject
from contracts.resolved import Suggestion
from identity import decide, proofs
from identity.decide import ClaimPolicy, Link, Plan
from identity.evidence import Observation, moved_to
from identity.facts import Facts, Holder


def resolve(
    message: InboundMessage, seen: Sequence[Observation], facts: Facts, policy: ClaimPolicy = "attach"
) -> Plan:
    """The plan for one message. `seen` is in order of priority (`evidence.observations`)."""
    if (named := subject(message)) is not None:
        return proofs.confirmed(message, named, next((o for o in seen if o.proven), None), facts)
    if is_proof(message):
        # A record of the shop's own founds a customer, as a message does.
        plan = decide.resolve(msgspec.structs.replace(message, kind="message"), seen, facts, policy)
        return replace(plan, message=message)
    to = moved_to(message)
    moved = _moved(message, seen, facts, to[0]) if to else None
    return moved or decide.resolve(message, seen, facts, policy)


def _moved(message: InboundMessage, seen: Sequence[Observation], facts: Facts, kind: str) -> Plan | None:
    """`kind`: of the handle that changed. None when nobody is known by the old one, nor by any other."""
    new = next((o for o in seen if o.key[1] == kind and o.proven), None)
    others = [o for o in seen if o is not new]
    person = _person(message, new, others, facts)
    if new is None or person is None:
        return None
    links = [
        Link(old, one.own, "revoked", one.customer)
        for old in others
        if old.key[1] == kind
        for one in facts.proven_by(old.key, message.message_id)
        if one.customer == person.customer
    ]
    taken = facts.holder(new.key, message.message_id)
    free = taken is None and not facts.is_contested(new.key, message.message_id)
    if free and facts.person(person.customer).has_room([new.key]):
        links.append(Link(new, person.own, "linked", person.customer))
    plan = Plan(message, person.customer, trust="verified", matched_by=kind, links=tuple(links))
    if taken is not None and taken.customer != person.customer:
        # Somebody wrote from the new one before: people see that it may be the same person.
        return replace(plan, suggestions=(Suggestion(customer=taken.customer, reason="number_changed"),))
    return plan


def _person(
    message: InboundMessage, new: Observation | None, others: Sequence[Observation], facts: Facts
) -> Holder | None:
    """Who holds the old one, or another of the message's handles. Read again, the message finds the link that it made itself."""
    held = (facts.holder(o.key, message.message_id) for o in others)
    known = next((one for one in held if one), None)
    return known or (facts.linked_by(new.key, message.message_id) if new else None)
