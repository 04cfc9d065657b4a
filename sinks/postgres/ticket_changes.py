"""Changes that people make to tickets: version, audit row and outbox row in the caller's transaction.

Lock order as everywhere: the ticket first, the agent after it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.errors import Refused
from contracts.ticket import Cause, Change, Ticket
from runtime.postgres import Connection
from sinks.postgres.rows import StoredTicket, replace
from sinks.postgres.ticket_store import RotationKey, Writes, lock_tickets
from sinks.postgres.ticket_trail import add_change
from sinks.postgres.ticket_writes import write


async def change_ticket(
    connection: Connection,
    workspace: UUID,
    ticket_id: UUID,
    expected_version: int | None,
    actor: str,
    change: Change,
    mutate: Callable[[Ticket], Ticket],
    detail: dict[str, Any],
    now: datetime,
) -> StoredTicket:
    """Locks the ticket, lets `mutate` change it and writes the result; an unchanged ticket is left alone.

    `mutate` may raise: nothing is written then. Raises `Refused` with 404 for a ticket that is not there and 412 for one
    that has another version than the expected; the version is compared last, so that it tells nothing to somebody whom
    `mutate` turns away.
    """
    found = await lock_tickets(connection, [(workspace, ticket_id)])
    stored = found.get((workspace, ticket_id))
    if stored is None:
        raise Refused("not_found", "no such ticket", status=404)
    ticket = mutate(stored.ticket)
    if expected_version is not None and expected_version != stored.version:
        raise Refused("version_conflict", f"the ticket is at version {stored.version}", status=412)
    if ticket == stored.ticket:
        return stored
    # A pulled ticket counts against its puller's limit, and only there.
    pulled = stored.pulled and ticket.agent == stored.ticket.agent
    return await write_change(
        connection, stored, ticket, actor=actor, change=change, detail=detail, now=now, pulled=pulled
    )


async def write_change(
    connection: Connection,
    stored: StoredTicket,
    ticket: Ticket,
    *,
    actor: str,
    change: Change,
    detail: dict[str, Any],
    now: datetime,
    pulled: bool = False,
    rotation: tuple[RotationKey, tuple[str, ...]] | None = None,
) -> StoredTicket:
    """Writes the ticket as it is after a change, whose row the caller has locked; `rotation`: the turns after it, likewise.
    `pulled`: whether it counts against its agent's pull limit."""
    writes, ticket = Writes(stored=True), replace(ticket, updated_at=now)
    changed = add_change(writes, stored, ticket, change, Cause(actor=actor), detail, now, pulled)
    if ticket.agent and ticket.agent != stored.ticket.agent:
        writes.assigned[(ticket.workspace, ticket.agent)] = now
    if rotation is not None:
        writes.rotations[rotation[0]] = rotation[1]
    await write(connection, writes)
    return changed
