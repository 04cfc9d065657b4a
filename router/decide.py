"""decide(message, facts, rule set, now): where a message goes, how urgent it is, and who gets it. Pure: the same inputs
give the same bytes of the decision record, which is what replay proves."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from contracts import ids
from contracts.inbound import InboundMessage
from contracts.resolved import Context, ResolvedMessage
from contracts.rules import NOBODY
from contracts.ticket import Status, Ticket
from router import categorise, continuity, prioritise, replies, staffing, timing
from router import rules as rule_engine
from router.calls import is_repeated, raised
from router.deadlines import starts_at
from router.effects import applied, triggers_of
from router.facts import (
    Facts,
    Placement,
    Plan,
    Staff,
    TicketFacts,
    answered_key,
    customer_of,
    is_echo,
    known_of,
    shown_of,
)
from router.leases import leased
from router.refs import is_answered, left
from router.rules import Verdict
from router.ruleset import RuleSet
from router.subjects import text_of

_ORDERS = 20


def place(
    resolved: ResolvedMessage, message: InboundMessage, facts: Facts, rules: RuleSet, now: datetime
) -> Placement:
    """The ticket that the message opens or joins."""
    found = continuity.continuation(resolved, message, facts, rules, now)
    joins, picked = found.joins.ticket if found.joins else None, categorise.pick(message, rules)
    customer, known = customer_of(resolved), known_of(resolved, facts)
    # What was sent twice was said once.
    replied = message.direction == "in" and not is_echo(message) and found.duplicate_of is None
    verdict = rule_engine.run(
        rules.subject(message, joins, known, now),
        rules,
        triggers_of(joins is None, replied),
        picked=picked.department if joins is None else None,
        current=joins.department if joins else None,
    )
    record: dict[str, Any] = {
        "rule_set": rules.version,
        "now": now.isoformat(),
        "continuity": continuity.shown(found),
        "rules": verdict.matched,
        "customer": {"trust": customer.trust, "matched_by": customer.matched_by},
    }
    if (context := resolved.context) is not None:
        record["context"] = msgspec.to_builtins(context)
    if verdict.tags:
        record["tags"] = verdict.tags
    if read := shown_of(known, rules):
        record["read"] = read
    if found.joins is not None:
        joined = _join(resolved, message, found, found.joins, facts, verdict, rules, record, now)
        return replying(joined, facts, rules, now)
    placed = categorise.place(message, picked, verdict, rules)
    priority, candidates = prioritise.prioritise(
        placed.department,
        placed.category,
        verdict,
        rules,
        known.proven_tags,
        rules.account(message.channel, message.account),
    )
    # A call that was taken has had its answer.
    answered = is_answered(message)
    sla = verdict.wants.get("sla")
    record |= {
        "department": {"value": placed.department, "reason": placed.reason},
        "category": {"value": placed.category, "reason": placed.category_reason},
        "priority": {"value": priority, "candidates": candidates},
    }
    ticket = Ticket(
        id=ids.ticket_id(message.workspace, message.message_id),
        number=0,
        workspace=message.workspace,
        customer=customer.id,
        trust=customer.trust,
        channel=message.channel,
        account=message.account,
        store=rules.store(message),
        subject=_title(message),
        department=placed.department,
        category=placed.category,
        category_id=placed.category_id,
        sla=sla,
        priority=priority,
        status="solved" if answered else _opening_status(verdict),
        queue=placed.department,
        language=rules.language(text_of(message)) if rules.speak_languages else None,
        tags=tuple(verdict.tags),
        refers_to=found.refers_to,
        messages=1,
        created_at=message.received_at,
        updated_at=now,
        context=context,
    )
    ticket = timing.opened(ticket, starts_at(message), rules.levels, wants_answer=not answered)
    record["deadline"] = msgspec.to_builtins(ticket.deadline)
    if ticket.resolution is not None:
        record["resolution"] = msgspec.to_builtins(ticket.resolution)
    opened = Placement(
        resolved,
        message,
        ticket,
        version=1,
        opens=True,
        change="created",
        decided_by=placed.decided_by,
        record=record,
        refs=left(resolved, message, ticket.customer),
        duplicate_of=found.duplicate_of,
        said=found.said,
        participants=continuity.joining(message),
        assign_to=message.fields.get("agent", NOBODY) if answered else verdict.wants.get("assign"),
        verdict=verdict,
    )
    return replying(opened, facts, rules, now)


def replying(placement: Placement, facts: Facts, rules: RuleSet, now: datetime) -> Placement:
    """With the automatic answer that a rule wants, if one may be sent; the record says why not."""
    template = placement.verdict.wants.get("auto_reply")
    if template is None:
        return placement
    message, to = placement.message, replies.addressee(placement.message, rules)
    last = facts.answered.get(answered_key(message.workspace, to)) if to else None
    reply, why = replies.decide(message, to, template, last, placement.ticket.department, rules, now)
    return msgspec.structs.replace(placement, reply=reply, record=placement.record | {"auto_reply": why})


def assign(placement: Placement, staff: Staff, rules: RuleSet) -> Plan:
    """Finds the agent or the queue of a ticket that was just opened; a joined ticket keeps what it has."""
    ticket = placement.ticket
    now = ticket.updated_at
    if not placement.opens:
        return Plan(placement, leased(ticket, rules, now) if placement.wakes else ticket, placement.record)
    by = "call" if is_answered(placement.message) else "rule"
    found = staffing.find(ticket, staff, rules, now, placement.assign_to, by)
    record = {**placement.record, "assignment": found.record}
    assigned = msgspec.structs.replace(
        ticket,
        agent=found.agent,
        queue=None if found.agent else ticket.department,
        held_back=found.held_back,
    )
    return Plan(placement, leased(assigned, rules, now), record, found.rotation, found.weight)


def settle(placement: Placement, facts: Facts, staff: Staff, rules: RuleSet, now: datetime) -> Plan:
    """The plan of a placement. `facts` and `staff` are as they were before the batch, moved on by the plans before this one, and
    are moved on by it.

    All messages of a batch are placed before agents are locked and looked for: one that joined a ticket of the same batch is
    placed again, for somebody may have that ticket now, and rules read who."""
    held = facts.tickets.get(placement.ticket.id)
    if placement.joined is not None and held is not None and held.ticket != placement.joined:
        placement = place(placement.resolved, placement.message, facts, rules, now)
    plan = assign(placement, staff, rules)
    staff.after(plan, now)
    facts.after(msgspec.structs.replace(placement, ticket=plan.ticket))
    return plan


def _opening_status(verdict: Verdict) -> Status:
    return verdict.wants.get("status", "new")  # type: ignore[return-value]


def _join(
    resolved: ResolvedMessage,
    message: InboundMessage,
    found: continuity.Continuation,
    held: TicketFacts,
    facts: Facts,
    verdict: Verdict,
    rules: RuleSet,
    record: dict[str, Any],
    now: datetime,
) -> Placement:
    ticket = held.ticket
    wakes = ticket.status in ("waiting", "solved") and not (is_answered(message) or is_echo(message))
    woken = msgspec.structs.replace(
        ticket,
        status="open" if wakes else ticket.status,
        step=None if wakes else ticket.step,
        messages=ticket.messages + 1,
        updated_at=now,
        context=_renewed(ticket, resolved.context),
    )
    joined, _, _ = applied(woken, verdict, rules)
    if is_repeated(message, facts.missed.get(ticket.id, ())):
        priority = raised(joined.priority)
        record["priority"] = {"value": priority, "reason": "call.repeated", "before": joined.priority}
        joined = msgspec.structs.replace(joined, priority=priority)
    answers = is_answered(message) or is_echo(message) or message.direction == "out"
    wrote: Literal["agent", "customer"] = "agent" if answers else "customer"
    joined = timing.changed(ticket, joined, starts_at(message), rules.levels, wrote)
    return Placement(
        resolved,
        message,
        joined,
        version=held.version + 1,
        opens=False,
        change="message_added",
        decided_by="thread",
        record=record,
        refs=left(resolved, message, ticket.customer),
        duplicate_of=found.duplicate_of,
        said=found.said,
        participants=continuity.joining(message, opens=False),
        joined=ticket,
        reopens=wakes and ticket.status == "solved",
        verdict=verdict,
        wakes=wakes,
    )


def _renewed(ticket: Ticket, known: Context | None) -> Context | None:
    """What is known now. The ticket stays about every order that was named on it, and what a shop said once is not forgotten
    when it does not say it again."""
    before = ticket.context
    if before is None or known is None:
        return known or before
    told = {(order.store, order.number) for order in known.orders}
    kept = (order for order in before.orders if (order.store, order.number) not in told)
    return Context(
        order_numbers=tuple(dict.fromkeys((*before.order_numbers, *known.order_numbers))),
        orders=(*known.orders, *kept)[:_ORDERS],
        order_context=known.order_context,
        recent_tickets=tuple(recent for recent in known.recent_tickets if recent.ticket != ticket.id),
    )


def _title(message: InboundMessage) -> str | None:
    return message.fields.get("stripped_subject") or message.subject
