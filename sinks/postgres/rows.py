"""Rows of `tickets` and what they stand for: the only place that knows both the columns and `contracts.ticket.Ticket`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from psycopg import AsyncCursor
from psycopg.rows import TupleRow

from contracts.base import decoder, encode
from contracts.resolved import Context
from contracts.ticket import Deadline, Ticket

_deadlines = decoder(Deadline)
_contexts = decoder(Context)


class StoredTicket(NamedTuple):
    """A ticket as it is stored: the public snapshot and what only the stores need."""

    ticket: Ticket
    version: int
    pulled: bool
    audit_head: bytes


async def stored_tickets(cursor: AsyncCursor[TupleRow]) -> list[StoredTicket]:
    """The rows of a query that selects every column of `tickets` by name (documents as text: `deadline::text AS deadline`), in any
    order; further columns are ignored. Raises `KeyError` for a query that forgot one."""
    names = [column.name for column in cursor.description or ()]
    return [stored_ticket(dict(zip(names, row, strict=True))) for row in await cursor.fetchall()]


def stored_ticket(row: Mapping[str, Any]) -> StoredTicket:
    """One row, by column name."""
    agent = row["agent"]
    ticket = Ticket(
        id=row["ticket_id"],
        number=row["number"],
        workspace=row["workspace"],
        customer=row["customer_id"],
        trust=row["trust"],
        channel=row["channel"],
        account=row["account"],
        store=row["store"],
        subject=row["subject"],
        department=row["department"],
        category=row["category"],
        category_id=row["category_id"],
        sla=row["sla"],
        priority=row["priority"],
        status=row["status"],
        agent=agent,
        queue=row["department"] if agent is None else None,
        held_since=row["held_since"],
        lease_until=row["lease_until"],
        step=row["step"],
        deadline=_deadlines.decode(row["deadline"]) if row["deadline"] else None,
        tags=tuple(row["tags"]),
        refers_to=row["refers_to"],
        messages=row["messages"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        context=_contexts.decode(row["context"]) if row["context"] else None,
    )
    return StoredTicket(ticket, row["version"], row["pulled"], bytes(row["audit_head"]))


def ticket_columns(stored: StoredTicket) -> dict[str, Any]:
    """The reverse of `stored_ticket`: every column of the row, by name, as psycopg takes it."""
    ticket = stored.ticket
    return {
        "workspace": ticket.workspace,
        "ticket_id": ticket.id,
        "number": ticket.number,
        "version": stored.version,
        "customer_id": ticket.customer,
        "trust": ticket.trust,
        "channel": ticket.channel,
        "account": ticket.account,
        "store": ticket.store,
        "subject": ticket.subject,
        "department": ticket.department,
        "category": ticket.category,
        "priority": ticket.priority,
        "status": ticket.status,
        "agent": ticket.agent,
        "due_at": ticket.deadline.due_at if ticket.deadline else None,
        "deadline": encode(ticket.deadline).decode() if ticket.deadline else None,
        "tags": list(ticket.tags),
        "refers_to": ticket.refers_to,
        "messages": ticket.messages,
        "pulled": stored.pulled,
        "held_since": ticket.held_since,
        "lease_until": ticket.lease_until,
        "step": ticket.step,
        "created_at": ticket.created_at,
        "updated_at": ticket.updated_at,
        "audit_head": stored.audit_head,
        "context": encode(ticket.context).decode() if ticket.context else None,
        "category_id": ticket.category_id,
        "sla": ticket.sla,
    }


def replace(ticket: Ticket, **changes: Any) -> Ticket:
    """The ticket with these fields changed; `queue` follows `agent` and `department`."""
    changed = msgspec.structs.replace(ticket, **changes)
    return msgspec.structs.replace(changed, queue=None if changed.agent else changed.department)
