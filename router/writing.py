"""From plans to rows: what one batch of decisions writes."""

from __future__ import annotations

from datetime import datetime

from contracts import ids
from contracts.base import encode
from contracts.inbound import InboundMessage
from contracts.resolved import ResolvedMessage
from contracts.ticket import Cause, TicketEvent
from router.deadlines import starts_at
from router.facts import Plan
from sinks.audit import entry_hash
from sinks.postgres.outbox import shard_of
from sinks.postgres.rows import StoredTicket
from sinks.postgres.ticket_store import (
    AuditRow,
    DecisionRow,
    DuplicateRow,
    MessageRow,
    OutboxRow,
    Writes,
)

ACTOR = "router"


def add_message(
    writes: Writes,
    resolved: ResolvedMessage,
    message: InboundMessage,
    plan: Plan | None,
    out_of_order: bool = False,
) -> None:
    """The terminal row of a message; `plan` is None for kinds that belong to no ticket by themselves."""
    at = resolved.position
    writes.messages.append(
        MessageRow(
            message.workspace,
            message.message_id,
            plan.ticket.id if plan else None,
            resolved.customer.id,
            message.channel,
            message.account,
            message.provider_id,
            message.kind,
            message.direction,
            message.target,
            message.raw.sha256 if message.raw else None,
            starts_at(message),
            message.received_at,
            out_of_order,
            at.topic,
            at.partition,
            at.offset,
            bytes(resolved.inbound).decode(),
        )
    )


def add_duplicate(writes: Writes, resolved: ResolvedMessage, now: datetime) -> None:
    """The terminal row of another record of a message that is stored."""
    at = resolved.position
    writes.duplicates.append(DuplicateRow(at.topic, at.partition, at.offset, resolved.message_id, now))


def add_plan(writes: Writes, plan: Plan, version: int, before: bytes, rule_set: str, now: datetime) -> bytes:
    """Ticket, decision, trail and event of one plan. `before` is the audit head so far; returns the new one."""
    ticket, message = plan.ticket, plan.placement.message
    key = (ticket.workspace, ticket.id)
    detail = encode({"message": message.message_id, "decision": message.message_id, "agent": ticket.agent})
    change = plan.placement.change
    head = entry_hash(before, ticket.id, version, now, ACTOR, change, detail)
    pulled = writes.tickets[key].pulled if key in writes.tickets else False
    writes.tickets[key] = StoredTicket(ticket, version, pulled, head)
    writes.refs |= {(ticket.workspace, kind, value, ticket.id) for kind, value in plan.placement.refs}
    writes.participants |= {(*key, kind, value) for kind, value in plan.placement.participants}
    record = encode(plan.record).decode()
    writes.decisions.append(
        DecisionRow(ticket.workspace, message.message_id, ticket.id, rule_set, now, record)
    )
    writes.audit.append(AuditRow(*key, version, now, ACTOR, change, detail.decode(), head))
    writes.outbox.append(_event(plan, version, rule_set, now))
    if plan.rotation:
        writes.rotations[plan.rotation[0]] = plan.rotation[1]
    if plan.placement.opens and ticket.agent:
        writes.assigned[(ticket.workspace, ticket.agent)] = now
    return head


def _event(plan: Plan, version: int, rule_set: str, now: datetime) -> OutboxRow:
    ticket, message = plan.ticket, plan.placement.message
    event = TicketEvent(
        event_id=ids.ticket_event_id(ticket.id, version),
        ticket_id=ticket.id,
        workspace=ticket.workspace,
        number=ticket.number,
        version=version,
        change=plan.placement.change,
        ticket=ticket,
        cause=Cause(
            actor=ACTOR,
            message_id=message.message_id,
            rule_set=rule_set,
            decision=plan.record,
            trace=message.trace,
        ),
        occurred_at=now,
    )
    change = plan.placement.change
    return OutboxRow(
        event.event_id,
        "ticket",
        ticket.id,
        change,
        encode(event),
        ticket.workspace,
        message.trace,
        shard_of(ticket.id),
        now,
    )


def is_same_record(resolved: ResolvedMessage, topic: str, partition: int, offset: int) -> bool:
    """Whether this very record was stored before: reading it again is no duplicate."""
    at = resolved.position
    return (at.topic, at.partition, at.offset) == (topic, partition, offset)
