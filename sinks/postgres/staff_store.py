"""Agents, what they hold and what waits for them. Set-based; every statement's input is sorted by its key."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import NamedTuple
from uuid import UUID

from runtime.postgres import Connection
from sinks.postgres.sql import keyed, queries

AgentKey = tuple[UUID, str]
"""Workspace and the id of an agent, or of a department."""

_rows = partial(keyed, "staff")


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


async def lock_agents(connection: Connection, keys: Iterable[AgentKey]) -> dict[AgentKey, AgentRow]:
    """Last of all locks. Agents whom no applied configuration has had are not in it."""
    rows = await _rows(connection, "lock_agents", ("workspaces", "agents"), keys)
    return {(workspace, agent): AgentRow(at, presence) for workspace, agent, at, presence in rows}


async def loads(connection: Connection, keys: Iterable[AgentKey]) -> dict[AgentKey, dict[str, int]]:
    """Channel -> unsolved tickets of it that the agent holds; to be called after `lock_agents`."""
    found: dict[AgentKey, dict[str, int]] = {}
    for workspace, agent, channel, count in await _rows(connection, "loads", ("workspaces", "agents"), keys):
        found.setdefault((workspace, agent), {})[channel] = count
    return found


async def waiting(connection: Connection, keys: Iterable[AgentKey], enough: int) -> dict[AgentKey, int]:
    """Tickets in each department's queue; at most `enough` are counted."""
    names = ("workspaces", "departments")
    rows = await _rows(connection, "waiting", names, keys, {"enough": enough})
    return {(workspace, department): count for workspace, department, count in rows}


async def last_agents(
    connection: Connection, keys: Iterable[tuple[UUID, UUID, str]]
) -> dict[tuple[UUID, UUID, str], tuple[str, datetime]]:
    """(workspace, customer, department) -> the agent of the customer's newest ticket there, and when it was opened."""
    names = ("workspaces", "customers", "departments")
    rows = await _rows(connection, "last_agents", names, keys)
    return {(row[0], row[1], row[2]): (row[3], row[4]) for row in rows}


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
