"""Rows and payloads: the one place where a `tickets` row becomes a `Ticket`, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from contracts.base import decoder, encode
from contracts.ticket import Deadline, Ticket

_deadline = decoder(Deadline)

TAG_SEPARATOR = "\x1f"
"""Between tags in the one text that `unnest` carries: arrays of arrays it cannot take apart."""


def ticket_of(row: Sequence[Any]) -> Ticket:
    """The snapshot of a row selected as in `tickets.sql: lock_tickets`: workspace, ticket_id, number, version,
    customer_id, trust, channel, account, store, subject, department, category, priority, status, agent, deadline as
    text, tags, refers_to, messages, created_at, updated_at, …"""
    return Ticket(
        id=row[1],
        number=row[2],
        workspace=row[0],
        customer=row[4],
        trust=row[5],
        channel=row[6],
        account=row[7],
        store=row[8],
        subject=row[9],
        department=row[10],
        category=row[11],
        priority=row[12],
        status=row[13],
        agent=row[14],
        queue=None if row[14] else row[10],
        deadline=_deadline.decode(row[15]) if row[15] else None,
        tags=tuple(row[16]),
        refers_to=row[17],
        messages=row[18],
        created_at=row[19],
        updated_at=row[20],
    )


def ticket_columns(ticket: Ticket, version: int, audit_head: bytes) -> tuple[Any, ...]:
    """The values of `tickets.sql: upsert_tickets`, in its order."""
    deadline = ticket.deadline
    return (
        ticket.workspace,
        ticket.id,
        ticket.number,
        version,
        ticket.customer,
        ticket.trust,
        ticket.channel,
        ticket.account,
        ticket.store,
        ticket.subject,
        ticket.department,
        ticket.category,
        ticket.priority,
        ticket.status,
        ticket.agent,
        deadline.due_at if deadline else None,
        encode(deadline).decode() if deadline else None,
        TAG_SEPARATOR.join(ticket.tags),
        ticket.refers_to,
        ticket.messages,
        ticket.created_at,
        ticket.updated_at,
        audit_head,
    )


def replace(ticket: Ticket, **changes: Any) -> Ticket:
    """The ticket with these fields changed; `queue` follows `agent` and `department`."""
    changed = msgspec.structs.replace(ticket, **changes)
    return msgspec.structs.replace(changed, queue=None if changed.agent else changed.department)
