"""Timers: what falls due when. One row for each thing of a kind; it is gone in the transaction that does the thing.

`due_timers`, then the locks of what they are about, in the order of locks, then `claim_timers`, and do what it returns:
once, however many processes are at it, and again when the transaction is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from runtime.postgres import Connection
from sinks.postgres.sql import columns, queries, run

_KEY = ("workspaces", "kinds", "subjects")


class Timer(NamedTuple):
    """`kind` says what to do, `subject` with what: the id of a ticket, of an agent."""

    workspace: UUID
    kind: str
    subject: str
    due_at: datetime


TimerKey = tuple[UUID, str, str]
"""Workspace, kind, subject."""


async def set_timers(connection: Connection, timers: Mapping[TimerKey, datetime | None]) -> None:
    """When each falls due from now on; None: not at all. After all other locks."""
    due = [(*key, at) for key, at in sorted(timers.items()) if at is not None]
    gone = [key for key, at in sorted(timers.items()) if at is None]
    if due:
        await run(connection, queries("timers")["set_timers"], (*_KEY, "due"), due)
    if gone:
        await run(connection, queries("timers")["drop_timers"], _KEY, gone)


async def due_timers(connection: Connection, kind: str, now: datetime, limit: int) -> list[Timer]:
    """What has fallen due of this kind, oldest first, in the workspaces of the transaction. Locks nothing."""
    parameters = {"kind": kind, "now": now, "limit": limit}
    rows = await (await connection.execute(queries("timers")["due_timers"], parameters)).fetchall()
    return [Timer(*row) for row in rows]


async def claim_timers(connection: Connection, timers: Iterable[Timer]) -> list[Timer]:
    """Those of them that are the caller's to do: others did the rest meanwhile, or moved it. They are gone at the commit."""
    arrays = columns((*_KEY, "due"), sorted(timers))
    if not arrays["due"]:
        return []
    rows = await (await connection.execute(queries("timers")["claim_timers"], arrays)).fetchall()
    return sorted(Timer(*row) for row in rows)


class Waiting(NamedTuple):
    """A ticket that a trigger by time is about. `since`: its deadline, or since when nobody holds it."""

    workspace: UUID
    ticket: UUID
    since: datetime


@dataclass(frozen=True, slots=True)
class TimedQuestion:
    """Which tickets: of one department, whose deadline (`near_deadline`) or wait for an agent (`long_unassigned`) lies
    before `until`. `trigger` is the rule's own."""

    about: Literal["near_deadline", "long_unassigned"]
    workspace: UUID
    department: str
    trigger: str
    until: datetime


async def unasked(connection: Connection, question: TimedQuestion, limit: int) -> list[Waiting]:
    """Tickets that the trigger was not asked about for this deadline or wait, the longest due first. Locks nothing."""
    parameters = {
        "workspace": question.workspace,
        "department": question.department,
        "trigger": question.trigger,
        "until": question.until,
        "limit": limit,
    }
    rows = await (await connection.execute(queries("timers")[question.about], parameters)).fetchall()
    return [Waiting(*row) for row in rows]


async def ask_rules(
    connection: Connection, trigger: str, waiting: Iterable[Waiting]
) -> list[tuple[UUID, UUID]]:
    """Remembers that the trigger is asked about these; (workspace, ticket) of those that nobody else was quicker with."""
    rows = [(item.workspace, item.ticket, trigger, item.since) for item in sorted(waiting)]
    if not rows:
        return []
    arrays = columns(("workspaces", "tickets", "triggers", "since"), rows)
    found = await (await connection.execute(queries("timers")["ask_rules"], arrays)).fetchall()
    return sorted((workspace, ticket) for workspace, ticket in found)


async def all_workspaces(connection: Connection) -> list[UUID]:
    """Every workspace there is."""
    rows = await (await connection.execute(queries("timers")["workspaces"])).fetchall()
    return [workspace for (workspace,) in rows]
