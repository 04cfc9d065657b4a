"""Chats as they are stored: lines numbered in each chat, and who is told that there are new ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

import msgspec
import psycopg
from psycopg import AsyncConnection

from contracts.errors import Transient
from runtime.postgres import Connection, Database
from sinks.postgres.sql import columns, queries
from sinks.postgres.ticket_store import MessageRow

CHANNEL = "chat"

_QUIET_SECONDS = 10.0
_OPTIONS = "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=2"


class ChatKey(NamedTuple):
    """One chat: whose, by which widget, and the visitor's conversation."""

    workspace: UUID
    account: str
    conversation: str


class Told(StrEnum):
    """What a chat's tabs are told: that there are new lines, or something that is none."""

    LINES = "lines"
    ENDED = "ended"
    TYPING = "typing"


class Line(NamedTuple):
    """One line of a chat. `name`: of the agent who wrote it, None for the visitor's own; `provider_id`: of a message."""

    chat: ChatKey
    seq: int
    message: UUID
    provider_id: str | None
    text: str
    name: str | None
    at: datetime


class _Written(msgspec.Struct, frozen=True):
    """What a stored chat message says of its chat."""

    conversation_key: str
    fields: dict[str, str] = {}


_written = msgspec.json.Decoder(_Written)


async def add_messages(connection: Connection, rows: Sequence[MessageRow]) -> None:
    """Numbers the chat messages among these rows, in their order. To be called after they are inserted, in the same
    transaction, when all other locks are held."""
    said = [
        (row, _written.decode(row.payload))
        for row in rows
        if row.channel == CHANNEL and row.kind == "message"
    ]
    if not said:
        return
    keys = [ChatKey(row.workspace, row.account, written.conversation_key) for row, written in said]
    await add_lines(connection, keys, [row.message for row, _ in said])
    names = ("workspaces", "accounts", "conversations", "messages", "openings", "at")
    opening = [
        (*key, row.message, row.provider_id, row.received)
        for key, (row, written) in zip(keys, said, strict=True)
        if "after_hours" not in written.fields
    ]
    if opening:
        await connection.execute(queries("chat")["open_sessions"], columns(names, opening))


async def add_lines(connection: Connection, keys: Sequence[ChatKey], messages: Sequence[UUID]) -> None:
    """Numbers these lines, and wakes whoever shows their chats as soon as the transaction is committed."""
    names = ("workspaces", "accounts", "conversations", "messages")
    rows = [(*key, message) for key, message in zip(keys, messages, strict=True)]
    await connection.execute(queries("chat")["add_lines"], columns(names, rows))
    await tell(connection, keys, Told.LINES)


async def tell(connection: Connection, chats: Sequence[ChatKey], what: Told) -> None:
    """Tells whoever shows these chats, at the commit. Nobody is told later."""
    if chats:
        parameters = columns(("workspaces", "accounts", "conversations"), chats) | {"what": what.value}
        await connection.execute(queries("chat")["tell"], parameters)


class ChatStore:
    """What the gateway reads of chats."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def lines_after(self, after: Mapping[ChatKey, int], limit: int) -> list[Line]:
        """Each chat's lines behind a number, at most so many of each, in order."""
        names = ("workspaces", "accounts", "conversations", "after")
        parameters = columns(names, [(*key, seq) for key, seq in sorted(after.items())]) | {"limit": limit}
        rows = await self._database.fetch(
            {key.workspace for key in after}, queries("chat")["lines_after"], parameters
        )
        return [
            Line(ChatKey(workspace, account, conversation), seq, message, provider_id, text or "", name, at)
            for workspace, account, conversation, seq, message, provider_id, text, name, at in rows
        ]


async def mark_read(database: Database, chat: ChatKey, seq: int) -> None:
    """The visitor has read up to this line."""
    async with database.transaction([chat.workspace]) as connection:
        await connection.execute(queries("chat")["mark_read"], chat._asdict() | {"seq": seq})


async def changed(dsn: str) -> AsyncIterator[tuple[ChatKey, Told] | None]:
    """What happens to chats from now on, whoever did it; None at the beginning, and when it is quiet.

    On a session of its own (never through a transaction pooler: what is listened to belongs to it). Raises `Transient`
    when the server goes away: what happened meanwhile must be looked up.
    """
    try:
        connection = await AsyncConnection.connect(
            dsn, autocommit=True, options=_OPTIONS, prepare_threshold=None, connect_timeout=5
        )
        async with connection:
            await connection.execute("LISTEN chat")
            while True:
                yield None
                async for notice in connection.notifies(timeout=_QUIET_SECONDS):
                    with suppress(ValueError):
                        workspace, account, conversation, what = notice.payload.split(" ")
                        yield ChatKey(UUID(workspace), account, conversation), Told(what)
                await connection.execute("SELECT 1")
    except (psycopg.OperationalError, psycopg.InterfaceError) as error:
        raise Transient(f"postgres: {type(error).__name__}") from error
