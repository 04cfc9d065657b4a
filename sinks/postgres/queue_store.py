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
    a language they speak; `cutoff`: what has waited since then is for them all the same; `most`: pulled tickets of the
    department that one agent may have, None: any number."""

    department: str
    category: str | None
    skilled: bool = True
    cutoff: datetime | None = None
    most: int | None = None


Pair = tuple[str, str | None]
"""Department and category of which something waits."""


class Puller(NamedTuple):
    """Who pulls. `languages`: of the agent, none for all; `most`: pulled tickets that they may have."""

    workspace: UUID
    agent: str
    languages: tuple[str, ...]
    most: int


class Held(NamedTuple):
    """A pulled ticket that its agent still works on."""

    number: int
    department: str


class Taken(NamedTuple):
    """What a pull finds. `held`: what the agent has pulled by then, None where no applied configuration has had them."""

    stored: StoredTicket | None
    held: list[Held] | None
    waiting: list[Pair]


class QueueState(NamedTuple):
    """One queue as it stands. `oldest`: since when its oldest ticket waits; `due`: its first deadline."""

    department: str
    category: str | None
    waiting: int
    oldest: datetime | None
    due: datetime | None


async def pairs(
    connection: Connection, workspace: UUID, departments: Sequence[str] | None = None
) -> list[Pair]:
    """Only of these departments, None: of all."""
    return await _found(await _pairs(connection, workspace, departments))


async def take_first(
    connection: Connection, puller: Puller, guess: Sequence[Share], departments: Sequence[str] | None
) -> Taken:
    """The first ticket of these queues together that nobody else is just taking, locked: two never get the same one; none
    once the agent is at a limit, so that others need not pass over it. Then the agent is locked, as
    `staff_store.lock_agents` does it, and what they have pulled by then is read. With it comes what waits in these
    departments (None: in all), from which the caller sees whether there are queues that were not guessed.

    All of it is asked together, in a `short` transaction."""
    waiting = await _pairs(connection, puller.workspace, departments)
    first = await _take(connection, puller, guess, _DEPTHS[0]) if guess else None
    locked = await staff_store.lock_agents(connection, [(puller.workspace, puller.agent)])
    held = await _pulled_by(connection, puller.workspace, puller.agent)
    found = await stored_tickets(first) if first else []
    known = await locked()
    return Taken(found[0] if found else None, await _held(held) if known else None, await _found(waiting))


async def take_next(
    connection: Connection, puller: Puller, shares: Sequence[Share], again: bool
) -> StoredTicket | None:
    """The ticket as `take_first` has it, after that has found none; `again`: in the very same queues, whose first few others
    are just taking. The agent is locked by then, but this waits for nobody's lock."""
    for depth in _DEPTHS[1:] if again else _DEPTHS:
        if found := await stored_tickets(await _take(connection, puller, shares, depth)):
            return found[0]
    return None


async def take_offered(
    connection: Connection, workspace: UUID, shares: Sequence[Share], depth: int, limit: int
) -> list[StoredTicket]:
    """At most `depth` of each queue and `limit` in all, locked, in their order, but for those that are left in the queue on
    purpose."""
    if not shares:
        return []
    nobody = {"agent": None, "most": None, "languages": None, "offered": True}
    parameters = _queues(shares) | nobody | {"workspace": workspace, "depth": depth, "limit": limit}
    return await stored_tickets(await connection.execute(queries(_SQL)["take"], parameters))


async def _take(connection: Connection, puller: Puller, shares: Sequence[Share], depth: int) -> Result:
    who = puller._asdict() | {"languages": list(puller.languages) or None}
    parameters = _queues(shares) | who | {"offered": False, "depth": depth, "limit": 1}
    return await connection.execute(queries(_SQL)["take"], parameters)


def _queues(shares: Sequence[Share]) -> dict[str, Any]:
    return dict(columns(("departments", "categories", "skilled", "cutoffs", "rooms"), shares))


async def pulled_by(connection: Connection, workspace: UUID, agent: str) -> list[Held]:
    """The pulled tickets that the agent still works on."""
    return await _held(await _pulled_by(connection, workspace, agent))


async def _pulled_by(connection: Connection, workspace: UUID, agent: str) -> Result:
    parameters = {"workspace": workspace, "agent": agent}
    return await connection.execute(queries(_SQL)["pulled_by"], parameters)


async def _pairs(connection: Connection, workspace: UUID, departments: Sequence[str] | None) -> Result:
    named = None if departments is None else list(departments)
    return await connection.execute(queries(_SQL)["pairs"], {"workspace": workspace, "departments": named})


async def _found(rows: Result) -> list[Pair]:
    return [(department, category) for department, category in await rows.fetchall()]


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
