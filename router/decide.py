"""decide(message, facts, rule set, now): where a message goes, how urgent it is, and who gets it. Pure: the same inputs
give the same bytes of the decision record, which is what replay proves."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from contracts import ids
from contracts.inbound import InboundMessage
from contracts.resolved import ResolvedMessage
from contracts.ticket import Deadline, Priority, Ticket
from router import assign as assignment
from router import categorise, conditions, continuity, prioritise
from router import rules as rule_engine
from router.assign import Candidates
from router.deadlines import due, starts_at
from router.facts import Facts, Placement, Plan, Ref, RotationKey, Staff, chat_key
from router.ruleset import RuleSet

NOBODY = "nobody"


def place(
    resolved: ResolvedMessage, message: InboundMessage, facts: Facts, rules: RuleSet, now: datetime
) -> Placement:
    """The ticket that the message opens or joins. Raises `router.calendars.NeverOpen` for a calendar without hours."""
    found = continuity.continuation(message, facts, rules, now)
    subject = conditions.subject_of(resolved, message, rules)
    verdict = rule_engine.run(subject, rules, opens=found.joins is None)
    record: dict[str, Any] = {
        "rule_set": rules.version,
        "now": now.isoformat(),
        "continuity": {"reason": found.reason},
        "rules": verdict.matched,
    }
    if found.joins is not None:
        record["continuity"]["ticket"] = str(found.joins.ticket.id)
        return _join(resolved, message, found.joins.ticket, found.joins.version, record, now)
    placed = categorise.place(message, verdict, rules)
    priority, candidates = prioritise.prioritise(placed.department, placed.category, verdict, rules)
    deadline = _deadline(message, placed.department, priority, rules)
    record |= {
        "department": {"value": placed.department, "reason": placed.reason},
        "category": {"value": placed.category, "reason": placed.category_reason},
        "priority": {"value": priority, "candidates": candidates},
        "deadline": msgspec.to_builtins(deadline) if deadline else None,
        "customer": {"trust": resolved.customer.trust, "matched_by": resolved.customer.matched_by},
    }
    account = rules.account(message.channel, message.account)
    ticket = Ticket(
        id=ids.ticket_id(message.workspace, message.message_id),
        number=0,
        workspace=message.workspace,
        customer=resolved.customer.id,
        trust=resolved.customer.trust,
        channel=message.channel,
        account=message.account,
        store=message.store or (account.store if account else None),
        subject=_title(message),
        department=placed.department,
        category=placed.category,
        priority=priority,
        status="new",
        queue=placed.department,
        deadline=deadline,
        tags=tuple(verdict.tags),
        refers_to=found.refers_to,
        messages=1,
        created_at=message.received_at,
        updated_at=now,
    )
    return Placement(
        resolved,
        message,
        ticket,
        version=1,
        opens=True,
        change="created",
        decided_by=placed.decided_by,
        record=record,
        refs=_refs(message),
        participants=continuity.joining(message),
        assign_to=verdict.wants.get("assign"),
    )


def assign(placement: Placement, staff: Staff, rules: RuleSet) -> Plan:
    """Finds the agent or the queue of a ticket that was just opened; a joined ticket keeps what it has."""
    if not placement.opens:
        return Plan(placement, placement.ticket, placement.record)
    ticket, key = placement.ticket, rotation_key(placement, rules)
    members = rules.members(ticket.department, ticket.category)
    candidates = _candidates(members, rules)
    method = rules.method(ticket.department, ticket.category)
    if placement.assign_to is not None:
        choice = _ordered(placement.assign_to, candidates, rules)
    else:
        workspace = ticket.workspace
        choice = assignment.choose(
            method,
            members,
            candidates,
            staff.rotations.get(key, ()),
            {agent: staff.open_counts.get((workspace, agent), 0) for agent in members},
            {a: at for a in members if (at := staff.last_assigned.get((workspace, a)))},
        )
    record = {
        **placement.record,
        "assignment": {"method": method, "reason": choice.reason, "agent": choice.agent},
    }
    record["assignment"] |= assignment.shown(candidates)
    if choice.turns is not None:
        before = list(assignment.turns_of(members, staff.rotations.get(key, ())))
        record["assignment"]["rotation"] = {"before": before, "after": list(choice.turns)}
    assigned = msgspec.structs.replace(
        ticket, agent=choice.agent, queue=None if choice.agent else ticket.department
    )
    return Plan(placement, assigned, record, (key, choice.turns) if choice.turns is not None else None)


def rotation_key(placement: Placement, rules: RuleSet) -> RotationKey:
    """A category with its own members or method has its own rotation."""
    ticket = placement.ticket
    return (ticket.workspace, ticket.department, ticket.category or "")


def _join(
    resolved: ResolvedMessage,
    message: InboundMessage,
    ticket: Ticket,
    version: int,
    record: dict[str, Any],
    now: datetime,
) -> Placement:
    status = "open" if ticket.status in ("waiting", "solved") else ticket.status
    joined = msgspec.structs.replace(ticket, status=status, messages=ticket.messages + 1, updated_at=now)
    return Placement(
        resolved,
        message,
        joined,
        version=version + 1,
        opens=False,
        change="message_added",
        decided_by="thread",
        record=record,
        refs=_refs(message),
        participants=continuity.joining(message),
    )


def _refs(message: InboundMessage) -> tuple[Ref, ...]:
    """What later messages can name this one by."""
    refs: list[Ref] = []
    own = message.fields.get("message_id")
    if own:
        refs.append(("mail", own))
    if message.conversation_key is not None:
        refs.append(("chat", chat_key(message)))
    return tuple(refs)


def _deadline(
    message: InboundMessage, department: str, priority: Priority, rules: RuleSet
) -> Deadline | None:
    hours, policy = rules.calendar(department), rules.policy(department)
    if hours is None or policy is None or priority not in policy.first_response:
        return None
    return due(starts_at(message), policy.first_response[priority] * 60, hours)


def _title(message: InboundMessage) -> str | None:
    return message.fields.get("stripped_subject") or message.subject


def _candidates(members: tuple[str, ...], rules: RuleSet) -> Candidates:
    refused = {m: "absent" for m in members if m in rules.agents and not rules.agents[m].present}
    refused |= {m: "unknown_agent" for m in members if m not in rules.agents}
    return Candidates(tuple(m for m in members if m not in refused), refused)


def _ordered(wanted: str, candidates: Candidates, rules: RuleSet) -> assignment.Choice:
    """A rule names an agent, or nobody; an absent agent leaves the ticket in the queue."""
    if wanted == NOBODY:
        return assignment.Choice(None, "rule:nobody")
    agent = rules.agents.get(wanted)
    if agent is None or not agent.present:
        return assignment.Choice(None, "rule:absent_agent")
    return assignment.Choice(wanted, "rule:agent")
