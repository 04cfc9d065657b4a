"""What is known about customers when a message of theirs is decided on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.resolved import RecentTicket
from runtime.postgres import Database
from sinks.postgres.sql import columns, queries

Key = tuple[UUID, UUID]
"""Workspace and root customer."""

Contact = Literal["email", "phone"]

_SUMMARY = 140


@dataclass(slots=True)
class Background:
    """`handles`: addresses and telephone numbers, as kind and value, and whether they are verified. `recent`: tickets,
    newest first."""

    handles: dict[tuple[Contact, str], bool] = field(default_factory=dict)
    recent: list[RecentTicket] = field(default_factory=list)


async def backgrounds(database: Database, customers: Collection[Key], most: int) -> dict[Key, Background]:
    """Of these root customers with everybody merged into them; at most so many tickets of each."""
    arrays = columns(("workspaces", "customers"), sorted(customers)) | {"most": most}
    found: dict[Key, Background] = {}
    sql, workspaces = queries("context"), {workspace for workspace, _ in customers}
    handles, recent = await database.fetch_all(workspaces, (sql["handles"], arrays), (sql["recent"], arrays))
    for workspace, root, kind, value, proven in handles:
        found.setdefault((workspace, root), Background()).handles[(kind, value)] = proven
    for workspace, root, *ticket in recent:
        found.setdefault((workspace, root), Background()).recent.append(_recent(*ticket))
    return found


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
