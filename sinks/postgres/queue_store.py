"""Tickets that wait for an agent, in the order in which they should be worked on: earliest deadline, then age, then number."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from runtime.postgres import Connection, Database, Result
from sinks.postgres import staff_store
from sinks.postgres.rows import StoredTicket, stored_tickets
from sinks.postgres.sql import columns, queries
from sinks.postgres.ticket_store import lock_tickets

_SQL = "queue"
_DEPTHS = (16, 512, 16_384)


class Share(NamedTuple):
    """A department's queue of one category (None: of none). `skilled`: the agent has the skills for it, and takes what is in
    a language they speak; `cutoff`: what has waited since then is for them all the same."""

    department: str
    category: str | None
    skilled: bool = True
    cutoff: datetime | None = None


class Held(NamedTuple):
    """A pulled ticket that its agent still works on."""

    number: int
    department: str


class QueueState(NamedTuple):
    """One queue as it stands. `oldest`: since when its oldest ticket waits; `due`: its first deadline."""

    department: str
    category: str | None
    waiting: int
    oldest: datetime | None
    due: datetime | None


async def pairs(
    connection: Connection, workspace: UUID, departments: Sequence[str] | None = None
) -> list[tuple[str, str | None]]:
    """(department, category) of which something waits; only of these departments, None: of all."""
    named = None if departments is None else list(departments)
    rows = await connection.execute(queries(_SQL)["pairs"], {"workspace": workspace, "departments": named})
    return [(department, category) for department, category in await rows.fetchall()]


async def take_next(
    connection: Connection, workspace: UUID, agent: str, shares: Sequence[Share], languages: Sequence[str]
) -> tuple[StoredTicket | None, list[Held] | None]:
    """The first ticket of these queues together that nobody else is just taking, locked: two never get the same one. With it,
    after the agent is locked as `staff_store.lock_agents` does it, what they have pulled by then; None where no applied
    configuration has had them. `languages`: of the agent, none for all. Asked together in a `short` transaction."""
    spoken = list(languages) or None
    first = await _take(connection, workspace, shares, _DEPTHS[0], 1, spoken, False)
    locked = await staff_store.lock_agents(connection, [(workspace, agent)])
    held = await _pulled_by(connection, workspace, agent)
    found = await stored_tickets(first)
    for depth in _DEPTHS[1:]:
        if found:
            break
        # Others are at the first few: further down. After the agent's lock, but this waits for nobody's.
        found = await stored_tickets(await _take(connection, workspace, shares, depth, 1, spoken, False))
    return found[0] if found else None, await _held(held) if await locked() else None


async def take_offered(
    connection: Connection, workspace: UUID, shares: Sequence[Share], depth: int, limit: int
) -> list[StoredTicket]:
    """At most `depth` of each queue and `limit` in all, locked, in their order, but for those that are left in the queue on
    purpose."""
    if not shares:
        return []
    return await stored_tickets(await _take(connection, workspace, shares, depth, limit, None, True))


async def _take(
    connection: Connection,
    workspace: UUID,
    shares: Sequence[Share],
    depth: int,
    limit: int,
    languages: list[str] | None,
    offered: bool,
) -> Result:
    rows = [(s.department, s.category, s.skilled, s.cutoff) for s in shares]
    parameters: dict[str, Any] = dict(columns(("departments", "categories", "skilled", "cutoffs"), rows))
    parameters |= {"workspace": workspace, "depth": depth, "limit": limit}
    parameters |= {"languages": languages, "offered": offered}
    return await connection.execute(queries(_SQL)["take"], parameters)


async def pulled_by(connection: Connection, workspace: UUID, agent: str) -> list[Held]:
    """The pulled tickets that the agent still works on."""
    return await _held(await _pulled_by(connection, workspace, agent))


async def what_waits(
    connection: Connection, workspace: UUID, agent: str, departments: Sequence[str] | None
) -> tuple[list[Held], list[tuple[str, str | None]]]:
    """`pulled_by` and `pairs`, in a `short` transaction asked together."""
    held = await _pulled_by(connection, workspace, agent)
    waiting = await pairs(connection, workspace, departments)
    return await _held(held), waiting


async def _pulled_by(connection: Connection, workspace: UUID, agent: str) -> Result:
    parameters = {"workspace": workspace, "agent": agent}
    return await connection.execute(queries(_SQL)["pulled_by"], parameters)


async def _held(rows: Result) -> list[Held]:
    return [Held(*row) for row in await rows.fetchall()]


async def held_by(
    connection: Connection, workspace: UUID, agents: Sequence[str], departments: Sequence[str], limit: int
) -> list[StoredTicket]:
    """Unsolved tickets of these agents, locked."""
    parameters = {
        "workspace": workspace,
        "agents": list(agents),
        "departments": list(departments),
        "limit": limit,
    }
    return await _locked(connection, workspace, "held_by", parameters)


async def run_out(connection: Connection, workspace: UUID, now: datetime, limit: int) -> list[StoredTicket]:
    """Tickets whose lease is over, locked."""
    parameters = {"workspace": workspace, "now": now, "limit": limit}
    return await _locked(connection, workspace, "run_out", parameters)


async def queue_states(
    database: Database, workspace: UUID, visible: Sequence[str] | None
) -> list[QueueState]:
    """Every queue in which something waits, as far as the reader may see its department."""
    parameters = {"workspace": workspace, "visible": None if visible is None else list(visible)}
    rows = await database.fetch([workspace], queries(_SQL)["queues"], parameters)
    return [QueueState(*row) for row in rows]


async def _locked(
    connection: Connection, workspace: UUID, query: str, parameters: dict[str, Any]
) -> list[StoredTicket]:
    """The tickets that the query has locked, in its order."""
    rows = await (await connection.execute(queries(_SQL)[query], parameters)).fetchall()
    keys = [(workspace, ticket) for (ticket,) in rows]
    found = await lock_tickets(connection, keys)
    return [found[key] for key in keys]
