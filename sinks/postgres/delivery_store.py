"""Messages to be handed over, and what became of them. Every message is one row, from the topic to its end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from contracts.base import decoder, encode
from contracts.outbound import OutboundMessage
from runtime.postgres import Database
from sinks.postgres.sql import columns, queries

_messages = decoder(OutboundMessage)

_ADDED = (
    *("workspaces", "ids", "tickets", "channels", "accounts", "recipients", "payloads", "created", "due"),
)


class Claimed(NamedTuple):
    """A message that is the caller's to hand over until the claim ends. `attempts` counts this one, and names the claim."""

    message: OutboundMessage
    attempts: int


class ListedDelivery(NamedTuple):
    """A message with its fate so far. `ticket`: its number."""

    outbound_id: UUID
    ticket: int | None
    channel: str
    recipient: str
    state: str
    attempts: int
    unsure: bool
    reason: str | None
    reply: str | None
    created_at: datetime
    due_at: datetime
    finished_at: datetime | None


class DeliveryStore:
    """Raises `Transient` while Postgres is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, messages: Sequence[OutboundMessage]) -> None:
        """Notes messages, each once however often it is called."""
        if not messages:
            return
        rows = sorted((_row(one) for one in messages), key=lambda row: row[:2])
        async with self._database.transaction({one.workspace for one in messages}) as connection:
            await connection.execute(queries("deliveries")["add"], columns(_ADDED, rows))

    async def claim(self, workspaces: Iterable[UUID], now: datetime, until: datetime) -> Claimed | None:
        """The message that has been due for longest; None when none is due. One whose claim ended without a word may have
        arrived: it is `unsure` from then on."""
        mine = list(workspaces)
        parameters = {"workspaces": mine, "now": now, "until": until}
        rows = await self._database.fetch(mine, queries("deliveries")["claim"], parameters)
        return Claimed(_messages.decode(rows[0][0]), rows[0][1]) if rows else None

    async def listed(self, workspace: UUID, state: str | None, limit: int) -> list[ListedDelivery]:
        """The newest; of one state, or of all."""
        parameters = {"workspace": workspace, "state": state, "limit": limit}
        rows = await self._database.fetch([workspace], queries("deliveries")["listed"], parameters)
        return [ListedDelivery(*row) for row in rows]

    async def finish(
        self,
        claimed: Claimed,
        state: Literal["sent", "failed"],
        reason: str | None,
        reply: str,
        now: datetime,
    ) -> None:
        """Records the end, unless the claim has ended before."""
        await self._change("finish", claimed, state=state, reason=reason, reply=reply, now=now)

    async def postpone(self, claimed: Claimed, reason: str, reply: str, unsure: bool, due: datetime) -> None:
        """Gives the message back until then."""
        await self._change("postpone", claimed, reason=reason, reply=reply, unsure=unsure, due=due)

    async def _change(self, query: str, claimed: Claimed, **given: object) -> None:
        message = claimed.message
        key = {"workspace": message.workspace, "id": message.outbound_id, "attempts": claimed.attempts}
        async with self._database.transaction([message.workspace]) as connection:
            await connection.execute(queries("deliveries")[query], key | given)


def _row(one: OutboundMessage) -> tuple[object, ...]:
    due = max(one.created_at, one.not_before or one.created_at)
    payload = encode(one).decode()
    return (
        *(one.workspace, one.outbound_id, one.ticket_id, one.channel, one.account, one.recipient),
        *(payload, one.created_at, due),
    )
