"""Rows of `tickets` and what they stand for: the only place that knows both the columns and `contracts.ticket.Ticket`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from contracts.base import Payload, decoder, encode
from contracts.resolved import Context
from contracts.ticket import Deadline, Measured, Moment, Ticket
from runtime.postgres import Result


class _Clocks(Payload, frozen=True, kw_only=True):
    """What of a ticket's clocks is stored in one column, by the fields of `Ticket`."""

    next_response: Deadline | None = None
    resolution: Deadline | None = None
    next_action_at: datetime | None = None
    first_answer: Measured | None = None
    resolved: Measured | None = None
    transfers: int = 0
    moments: tuple[Moment, ...] = ()


_deadlines = decoder(Deadline)
_clocks = decoder(_Clocks)
_NO_CLOCKS = _Clocks()
_contexts = decoder(Context)


class StoredTicket(NamedTuple):
    """A ticket as it is stored: the public snapshot and what only the stores need."""

    ticket: Ticket
    version: int
    pulled: bool
    audit_head: bytes


async def stored_tickets(cursor: Result) -> list[StoredTicket]:
    """The rows of a query that selects every column of `tickets` by name (documents as text: `deadline::text AS deadline`), in any
    order; further columns are ignored. Raises `KeyError` for a query that forgot one."""
    # First, since until then it may not have been waited for.
    rows = await cursor.fetchall()
    result = cursor.pgresult
    # `cursor.description` says the same, at the price of the query.
    names = [(result.fname(at) or b"").decode() for at in range(result.nfields)] if result else []
    return [stored_ticket(dict(zip(names, row, strict=True))) for row in rows]


def stored_ticket(row: Mapping[str, Any]) -> StoredTicket:
    """One row, by column name."""
    agent = row["agent"]
    clocks = _clocks.decode(row["clocks"]) if row["clocks"] else _NO_CLOCKS
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
        language=row["language"],
        held_back=row["held_back"],
        deadline=_deadlines.decode(row["deadline"]) if row["deadline"] else None,
        next_response=clocks.next_response,
        resolution=clocks.resolution,
        next_action_at=clocks.next_action_at,
        first_answer=clocks.first_answer,
        resolved=clocks.resolved,
        transfers=clocks.transfers,
        moments=clocks.moments,
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
        "due_at": due_at(ticket),
        "deadline": encode(ticket.deadline).decode() if ticket.deadline else None,
        "clocks": encode(_clocks_of(ticket)).decode(),
        "next_action_at": ticket.next_action_at or due_at(ticket),
        **_measured("first_answer", ticket.first_answer),
        **_measured("resolution", ticket.resolved),
        "transfers": ticket.transfers,
        "tags": list(ticket.tags),
        "refers_to": ticket.refers_to,
        "messages": ticket.messages,
        "pulled": stored.pulled,
        "held_since": ticket.held_since,
        "lease_until": ticket.lease_until,
        "step": ticket.step,
        "language": ticket.language,
        "held_back": ticket.held_back,
        "created_at": ticket.created_at,
        "updated_at": ticket.updated_at,
        "audit_head": stored.audit_head,
        "context": encode(ticket.context).decode() if ticket.context else None,
        "category_id": ticket.category_id,
        "sla": ticket.sla,
    }


def due_at(ticket: Ticket) -> datetime | None:
    """The earliest deadline that runs: the order of the queue. None: nothing is due."""
    deadlines = (ticket.deadline, ticket.next_response, ticket.resolution)
    return min((d.due_at for d in deadlines if d is not None and d.state == "running"), default=None)


def _clocks_of(ticket: Ticket) -> _Clocks:
    return _Clocks(**{name: getattr(ticket, name) for name in _Clocks.__struct_fields__})


def _measured(name: str, measured: Measured | None) -> dict[str, Any]:
    """The columns that reports read."""
    return {
        f"{name}_at": measured and measured.at,
        f"{name}_minutes": measured and measured.business_minutes,
        f"{name}_wall_minutes": measured and measured.wall_minutes,
    }


def replace(ticket: Ticket, **changes: Any) -> Ticket:
    """The ticket with these fields changed; `queue` follows `agent` and `department`."""
    changed = msgspec.structs.replace(ticket, **changes)
    return msgspec.structs.replace(changed, queue=None if changed.agent else changed.department)
