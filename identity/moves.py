"""The entry of identity: the plan for one message of any kind, also for the news that a person has another number now.

Their network says so (WhatsApp's `user_changed_number`), so the new number is the person's; and the old one, which the carrier
gives to somebody else one day, proves nothing about them any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from contracts.inbound import InboundMessage
from contracts.resolved import Suggestion
from identity import decide
from identity.decide import ClaimPolicy, Link, Plan
from identity.evidence import Observation, new_number
from identity.facts import Facts, Holder


def resolve(
    message: InboundMessage, seen: Sequence[Observation], facts: Facts, policy: ClaimPolicy = "attach"
) -> Plan:
    """The plan for one message. `seen` is in order of priority (`evidence.observations`)."""
    moved = _moved(message, seen, facts) if new_number(message) else None
    return moved or decide.resolve(message, seen, facts, policy)


def _moved(message: InboundMessage, seen: Sequence[Observation], facts: Facts) -> Plan | None:
    """None when nobody is known by the old number, nor by the account."""
    new = next((o for o in seen if o.key[1] == "phone" and o.proven), None)
    others = [o for o in seen if o is not new]
    person = _person(message, new, others, facts)
    if new is None or person is None:
        return None
    links = [
        Link(old, held.own, "revoked", held.customer)
        for old in others
        if old.key[1] == "phone"
        and (held := facts.holder(old.key, message.message_id))
        and held.customer == person.customer
    ]
    taken = facts.holder(new.key, message.message_id)
    free = taken is None and not facts.is_contested(new.key, message.message_id)
    if free and facts.person(person.customer).has_room([new.key]):
        links.append(Link(new, person.own, "linked", person.customer))
    plan = Plan(message, person.customer, trust="verified", matched_by="phone", links=tuple(links))
    if taken is not None and taken.customer != person.customer:
        # Somebody wrote from the new number before: people see that it may be the same person.
        return replace(plan, suggestions=(Suggestion(customer=taken.customer, reason="number_changed"),))
    return plan


def _person(
    message: InboundMessage, new: Observation | None, others: Sequence[Observation], facts: Facts
) -> Holder | None:
    """Who holds the account or the old number. Read again, the message finds the link that it made itself."""
    held = (facts.holder(o.key, message.message_id) for o in others)
    known = next((one for one in held if one), None)
    return known or (facts.linked_by(new.key, message.message_id) if new else None)
