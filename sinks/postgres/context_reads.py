"""What is known about customers when a message of theirs is decided on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Literal
from uuid import UUID

from contracts.resolved import RecentTicket
from runtime.postgres import Connection
from sinks.postgres.sql import Answer, ask

Key = tuple[UUID, UUID]
"""Workspace and root customer."""

Contact = Literal["email", "phone"]

_SUMMARY = 140

_ask = partial(ask, "context")


@dataclass(slots=True)
class Background:
    """`handles`: addresses and telephone numbers, as kind and value, and whether they are verified. `recent`: tickets,
    newest first."""

    handles: dict[tuple[Contact, str], bool] = field(default_factory=dict)
    recent: list[RecentTicket] = field(default_factory=list)


async def backgrounds(
    connection: Connection, customers: Iterable[Key], most: int
) -> Answer[dict[Key, Background]]:
    """Of these root customers with everybody merged into them; at most so many tickets of each."""
    names = ("workspaces", "customers")
    wanted = set(customers)
    handles = await _ask(connection, "handles", names, wanted, list)
    recent = await _ask(connection, "recent", names, wanted, list, {"most": most})

    async def answer() -> dict[Key, Background]:
        found: dict[Key, Background] = {}
        for workspace, root, kind, value, proven in await handles():
            found.setdefault((workspace, root), Background()).handles[(kind, value)] = proven
        for workspace, root, *ticket in await recent():
            found.setdefault((workspace, root), Background()).recent.append(_recent(*ticket))
        return found

    return answer


def _recent(
    ticket: UUID,
    number: int,
    subject: str | None,
    status: str,
    created_at: datetime,
    channel: str,
    department: str,
    text: str | None,
) -> RecentTicket:
    line = " ".join((text or "").split())
    return RecentTicket(
        ticket=ticket,
        number=number,
        subject=subject,
        status=status,
        created_at=created_at,
        channel=channel,
        department=department,
        summary=(line if len(line) <= _SUMMARY else f"{line[: _SUMMARY - 1]}…") or None,
    )
