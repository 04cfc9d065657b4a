"""Changes that people make to tickets: version, audit row and outbox row in the caller's transaction.

Lock order as everywhere: the ticket first, the agent after it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.errors import Refused
from contracts.ticket import Cause, Change, Ticket
from runtime.postgres import Connection
from sinks.postgres.rows import StoredTicket, replace, stored_tickets
from sinks.postgres.sql import queries
from sinks.postgres.ticket_store import Writes, lock_agents, lock_tickets
from sinks.postgres.ticket_trail import add_change
from sinks.postgres.ticket_writes import write


class PullLimit(Refused):
    """The agent must first solve, hand on or set to waiting what was pulled before."""

    def __init__(self, numbers: Sequence[int]) -> None:
        held = ", ".join(map(str, numbers))
        super().__init__("pull_limit", f"first solve, set to waiting or hand on ticket {held}", status=409)
        self.numbers = tuple(numbers)


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
    return await _write(connection, stored, ticket, pulled, actor, change, detail, now)


async def pull_next(
    connection: Connection,
    workspace: UUID,
    agent: str,
    departments: Sequence[str],
    barred_categories: Sequence[str],
    limit: int,
    now: datetime,
) -> StoredTicket | None:
    """Gives the agent the unassigned ticket with the earliest deadline, then age, then number; None: there is none.

    Raises `PullLimit` when the agent already works on `limit` pulled tickets. However many agents pull at once, no two
    get the same ticket, and no agent gets past the limit.
    """
    # Asked before as well, so that a refused pull does not make others pass over a ticket it had locked.
    await _check_limit(connection, workspace, agent, limit)
    wanted = {"workspace": workspace, "departments": list(departments), "barred": list(barred_categories)}
    found = await stored_tickets(
        await connection.execute(queries("ticket_changes")["next_unassigned"], wanted)
    )
    if not found:
        return None
    if not await lock_agents(connection, [(workspace, agent)]):
        raise Refused("unknown_agent", "the configuration has no such agent", status=403)
    await _check_limit(connection, workspace, agent, limit)
    stored = found[0]
    status = "open" if stored.ticket.status == "new" else stored.ticket.status
    ticket = replace(stored.ticket, agent=agent, status=status)
    detail = {"agent": [None, agent], "status": [stored.ticket.status, status], "pulled": True}
    return await _write(connection, stored, ticket, True, f"agent:{agent}", "assigned", detail, now)


async def pulled_by(connection: Connection, workspace: UUID, agent: str) -> list[int]:
    """Numbers of the pulled tickets that the agent still works on."""
    parameters = {"workspace": workspace, "agent": agent}
    rows = await (await connection.execute(queries("ticket_changes")["pulled_by"], parameters)).fetchall()
    return [number for (number,) in rows]


async def unsolved_of(connection: Connection, workspace: UUID, agent: str) -> int:
    """How many unsolved tickets the agent holds."""
    parameters = {"workspace": workspace, "agent": agent}
    rows = await (await connection.execute(queries("ticket_changes")["unsolved_of"], parameters)).fetchall()
    return int(rows[0][0])


async def _check_limit(connection: Connection, workspace: UUID, agent: str, limit: int) -> None:
    held = await pulled_by(connection, workspace, agent)
    if len(held) >= limit:
        raise PullLimit(held)


async def _write(
    connection: Connection,
    stored: StoredTicket,
    ticket: Ticket,
    pulled: bool,
    actor: str,
    change: Change,
    detail: dict[str, Any],
    now: datetime,
) -> StoredTicket:
    writes, ticket = Writes(), replace(ticket, updated_at=now)
    changed = add_change(writes, stored, ticket, change, Cause(actor=actor), detail, now, pulled)
    if ticket.agent and ticket.agent != stored.ticket.agent:
        writes.assigned[(ticket.workspace, ticket.agent)] = now
    await write(connection, writes)
    return changed
