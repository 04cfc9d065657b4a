"""Tickets that their agents will not get to: at the end of a shift, and when a lease has run out, they are the queue's again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from contracts.ticket import Cause, Change, Ticket
from router.attendance import OFF
from router.leases import leased
from router.ruleset import RuleSet
from runtime.postgres import Database
from sinks.postgres import queue_store, staff_store
from sinks.postgres.rows import StoredTicket, replace
from sinks.postgres.ticket_store import Writes
from sinks.postgres.ticket_trail import add_change
from sinks.postgres.ticket_writes import write

_MOST = 500
TIMER = "timer"


async def end_shifts(
    database: Database,
    workspace: UUID,
    rules: RuleSet,
    now: datetime,
    actor: str = TIMER,
    only: str | None = None,
) -> int:
    """Hands back what agents who have gone off still hold (`only` one of them), in departments that want it so; how many
    tickets."""
    departments = [d.id for d in rules.workspace.departments if d.shift_end == "return_to_queue"]
    if not departments:
        return 0
    count = 0
    while True:
        async with database.transaction([workspace]) as connection:
            said = {a.agent: a.presence for a in await staff_store.presences(connection, workspace)}
            named = said if only is None else {only}
            off = [a for a in named if rules.attendance.missing(a, said.get(a), now) in OFF]
            stored = await queue_store.held_by(connection, workspace, off, departments, _MOST)
            # The same once more: they may have come back meanwhile.
            rows = await (await staff_store.lock_agents(connection, _involved(stored, rules, now)))()
            held = {a: row.presence for (_, a), row in rows.items()}
            left = [s for s in stored if rules.attendance.missing(_agent(s), held.get(_agent(s)), now) in OFF]
            await write(connection, _handed_back(left, held, rules, actor, now))
        count += len(left)
        if len(stored) < _MOST:
            return count


async def end_leases(database: Database, workspace: UUID, rules: RuleSet, now: datetime) -> int:
    """Hands back tickets whose agents did nothing about them for as long as their department allows; how many."""
    if all(d.lease_minutes is None for d in rules.workspace.departments):
        return 0
    count = 0
    while True:
        async with database.transaction([workspace]) as connection:
            stored = await queue_store.run_out(connection, workspace, now, _MOST)
            writes = Writes()
            for each in stored:
                _give(writes, each, None, "lease", TIMER, now)
            await write(connection, writes)
        count += len(stored)
        if len(stored) < _MOST:
            return count


def _involved(stored: Sequence[StoredTicket], rules: RuleSet, now: datetime) -> list[tuple[UUID, str]]:
    found = []
    for each in stored:
        deputy = rules.attendance.deputy(_agent(each), now)
        found += [(each.ticket.workspace, agent) for agent in (_agent(each), deputy) if agent]
    return found


def _handed_back(
    stored: Sequence[StoredTicket],
    said: dict[str, str | None],
    rules: RuleSet,
    actor: str,
    now: datetime,
) -> Writes:
    """To the queue; what an agent on leave holds goes to the deputy, if that one is there."""
    writes = Writes()
    for each in stored:
        ticket = each.ticket
        deputy = rules.attendance.deputy(_agent(each), now)
        stands_in = (
            deputy is not None
            and deputy in rules.members(ticket.department, ticket.category)
            and rules.attendance.missing(deputy, said.get(deputy), now) is None
        )
        after = leased(replace(ticket, agent=deputy if stands_in else None), rules, now)
        _give(writes, each, after, "deputy" if stands_in else "shift_end", actor, now)
    return writes


def _give(
    writes: Writes, stored: StoredTicket, after: Ticket | None, reason: str, actor: str, now: datetime
) -> None:
    ticket = replace(after or replace(stored.ticket, agent=None), updated_at=now)
    detail = {"agent": [stored.ticket.agent, ticket.agent], "reason": reason}
    change: Change = "assigned" if ticket.agent else "unassigned"
    add_change(writes, stored, ticket, change, Cause(actor=actor), detail, now)
    if ticket.agent:
        writes.assigned[(ticket.workspace, ticket.agent)] = now


def _agent(stored: StoredTicket) -> str:
    assert stored.ticket.agent is not None
    return stored.ticket.agent
