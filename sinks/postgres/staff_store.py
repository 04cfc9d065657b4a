"""Agents, what they hold and what waits for them. Set-based; every statement's input is sorted by its key."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple
from uuid import UUID

from runtime.postgres import Connection
from sinks.postgres.sql import Answer, ask, columns, queries

AgentKey = tuple[UUID, str]
"""Workspace and the id of an agent, or of a department."""

_ask = partial(ask, "staff")

_MOST_CHANGES = 50


class AgentRow(NamedTuple):
    """When the agent last got a ticket, and what they said last of their presence."""

    last_assigned_at: datetime | None
    presence: str | None


class AgentState(NamedTuple):
    """One agent as the desk shows them. `channels`: unsolved tickets they hold, by channel."""

    agent: str
    presence: str | None
    since: datetime | None
    channels: dict[str, int]


class Loads(NamedTuple):
    """`held`: channel -> unsolved tickets of it, for agents who have some. `many`: agents whose changes are worth summing up."""

    held: dict[AgentKey, dict[str, int]]
    many: set[AgentKey]


async def lock_agents(connection: Connection, keys: Iterable[AgentKey]) -> Answer[dict[AgentKey, AgentRow]]:
    """Last of all locks. Agents whom no applied configuration has had are not in it."""

    def shape(rows: list[tuple[Any, ...]]) -> dict[AgentKey, AgentRow]:
        return {(workspace, agent): AgentRow(at, presence) for workspace, agent, at, presence in rows}

    return await _ask(connection, "lock_agents", ("workspaces", "agents"), keys, shape)


async def loads(connection: Connection, keys: Iterable[AgentKey]) -> Answer[Loads]:
    """What these agents hold; to be asked after `lock_agents`."""

    def shape(rows: list[tuple[Any, ...]]) -> Loads:
        found, many = dict[AgentKey, dict[str, int]](), set[AgentKey]()
        for workspace, agent, channel, held, changes in rows:
            if held:
                found.setdefault((workspace, agent), {})[channel] = held
            if changes > _MOST_CHANGES:
                many.add((workspace, agent))
        return Loads(found, many)

    return await _ask(connection, "loads", ("workspaces", "agents"), keys, shape)


async def sum_loads(connection: Connection, keys: Iterable[AgentKey]) -> None:
    """Makes the loads of these agents quick to read again. Only for whoever has locked them."""
    if wanted := sorted(set(keys)):
        arrays = columns(("workspaces", "agents"), wanted)
        await connection.execute(queries("staff")["sum_loads"], arrays)


async def waiting(
    connection: Connection, keys: Iterable[AgentKey], enough: int
) -> Answer[dict[AgentKey, int]]:
    """Tickets in each department's queue; at most `enough` are counted."""

    def shape(rows: list[tuple[UUID, str, int]]) -> dict[AgentKey, int]:
        return {(workspace, department): count for workspace, department, count in rows}

    names = ("workspaces", "departments")
    return await _ask(connection, "waiting", names, keys, shape, {"enough": enough})


async def last_agents(
    connection: Connection, keys: Iterable[tuple[UUID, UUID, str]]
) -> Answer[dict[tuple[UUID, UUID, str], tuple[str, datetime]]]:
    """(workspace, customer, department) -> the agent of the customer's newest ticket there, and when it was opened."""

    def shape(rows: list[tuple[Any, ...]]) -> dict[tuple[UUID, UUID, str], tuple[str, datetime]]:
        return {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows}

    names = ("workspaces", "customers", "departments")
    return await _ask(connection, "last_agents", names, keys, shape)


async def presences(connection: Connection, workspace: UUID) -> list[AgentState]:
    """Every agent of the workspace, also those of earlier configurations."""
    rows = await connection.execute(queries("staff")["presences"], {"workspace": workspace})
    return [AgentState(*row) for row in await rows.fetchall()]


async def set_presence(
    connection: Connection, workspace: UUID, agent: str, presence: str, now: datetime
) -> bool:
    """False: no applied configuration has such an agent."""
    parameters = {"workspace": workspace, "agent": agent, "presence": presence, "now": now}
    rows = await connection.execute(queries("staff")["set_presence"], parameters)
    return await rows.fetchone() is not None
