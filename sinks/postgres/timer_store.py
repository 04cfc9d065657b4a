"""Timers: what falls due when. One row for each thing of a kind; it is gone in the transaction that does the thing.

`due_timers`, then the locks of what they are about, in the order of locks, then `claim_timers`, and do what it returns:
once, however many processes are at it, and again when the transaction is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from runtime.postgres import Connection
from sinks.postgres.sql import columns, queries

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
        await connection.execute(queries("timers")["set_timers"], columns((*_KEY, "due"), due))
    if gone:
        await connection.execute(queries("timers")["drop_timers"], columns(_KEY, gone))


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
