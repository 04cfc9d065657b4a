"""What a proof without a message changes: a code that came back, a colleague's word (trust model, I1, I3, I4, I16).

The customer that it is about holds the handle from now on. Somebody else who has proven the same handle is the same person
when one of the two has nothing more to show than that; else it is in dispute, for people to decide.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from contracts.inbound import InboundMessage
from identity import decide
from identity.decide import Held, Link, Merge, Plan
from identity.evidence import Observation
from identity.facts import Facts


def confirmed(message: InboundMessage, named: UUID, shown: Observation | None, facts: Facts) -> Plan:
    """The plan for a proof that is about the customer `named`. Nobody's, when that customer is not there any more."""
    home = facts.roots.get(named)
    if home is None or shown is None:
        return Plan(message, home)
    plan = Plan(message, home, trust=shown.proof, matched_by=shown.key[1])
    if facts.is_shared(shown.key, message.message_id) or _has_another_login(home, shown, facts):
        return plan
    said = shown.proof == "authoritative"
    if facts.is_contested(shown.key, message.message_id):
        return _decided(plan, named, home, shown, facts) if said else decide.contested(plan, [shown], facts)
    held = facts.holder(shown.key, message.message_id)
    if held is None:
        room = said or facts.person(home).has_room([shown.key])
        return replace(plan, links=(Link(shown, named, "linked", home),)) if room else plan
    if held.customer == home:
        news = held.is_news(shown, message)
        return replace(plan, links=(Link(shown, held.own, "seen", home),)) if news else plan
    return _held_by_another(plan, home, Held(shown, held), facts)


def _decided(plan: Plan, named: UUID, home: UUID, shown: Observation, facts: Facts) -> Plan:
    """A colleague's word ends a dispute: whoever else has proven the handle gives it up."""
    provers = facts.proven_by(shown.key, plan.message.message_id)
    lost = (Link(shown, one.own, "revoked", one.customer) for one in provers if one.customer != home)
    return replace(plan, links=(*lost, Link(shown, named, "linked", home)))


def _has_another_login(home: UUID, shown: Observation, facts: Facts) -> bool:
    logins = facts.person(home).logins
    return shown.key[1] == "external_id" and bool(logins) and shown.key not in logins


def _held_by_another(plan: Plan, home: UUID, one: Held, facts: Facts) -> Plan:
    other, at = one.holder.customer, plan.message.received_at
    mine, theirs = facts.person(home), facts.person(other)
    if one.holder.is_stale(one.shown.key[1], at):
        return decide.disputed(plan, [one], facts, "changed_hands", both=True)
    if len(mine.logins | theirs.logins) > 1:
        return decide.disputed(plan, [one], facts, "different_logins", both=True)
    if facts.may_be_one(mine, theirs, at):
        if mine.is_bare(theirs.proven.keys()):
            return replace(plan, customer=other, merge=Merge(home, other, one.shown))
        if theirs.is_bare({one.shown.key}):
            return replace(plan, merge=Merge(other, home, one.shown))
    return decide.disputed(plan, [one], facts, "verified_together")
