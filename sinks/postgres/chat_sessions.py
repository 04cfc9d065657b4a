"""Sessions of chats: from a visitor's first message until somebody ends it, or nobody writes any more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from runtime.postgres import Connection, Database
from sinks.postgres.chat_store import ChatKey, Told, tell
from sinks.postgres.sql import columns, queries

_AT_ONCE = 500


class Session(NamedTuple):
    """One session. `opening`: the provider id of the message that began it; `told`: events that are on the topic."""

    chat: ChatKey
    id: UUID
    opening: str
    store: str | None
    started_at: datetime
    picked_up_at: datetime | None
    agent: str | None
    ended_at: datetime | None
    ended_by: str | None
    told: Sequence[str]


class LastSession(NamedTuple):
    """What a rating is about."""

    opening: str
    ticket: int | None
    agent: str | None


async def end(database: Database, chat: ChatKey, now: datetime) -> bool:
    """The visitor ends the open session; False when there is none. Its tabs are told at the commit."""
    async with database.transaction([chat.workspace]) as connection:
        return bool(await _ended(connection, "end_session", chat._asdict() | {"now": now}))


async def end_of_ticket(connection: Connection, workspace: UUID, ticket: UUID, now: datetime) -> None:
    """An agent has solved the ticket. Its tabs are told at the commit."""
    parameters = {"workspace": workspace, "ticket": ticket, "now": now, "what": Told.ENDED.value}
    await connection.execute(queries("chat")["end_sessions_of_ticket"], parameters)


async def end_silent(database: Database, before: datetime, now: datetime) -> None:
    """Ends what nobody has written in since; of all workspaces, as the system role."""
    async with database.transaction() as connection:
        parameters = {"before": before, "now": now, "limit": _AT_ONCE}
        await _ended(connection, "end_silent_sessions", parameters)


async def untold(database: Database) -> list[Session]:
    """Sessions with something to tell; of all workspaces, as the system role."""
    rows = await database.fetch((), queries("chat")["untold_sessions"], {"limit": _AT_ONCE})
    return [Session(ChatKey(*row[:3]), *row[3:]) for row in rows]


async def mark_told(database: Database, sessions: Sequence[tuple[Session, Iterable[str]]]) -> None:
    """These events are on the topic. One that has ended is settled."""
    rows = [
        (session.chat.workspace, session.id, ",".join((*session.told, *told)), session.ended_at is not None)
        for session, told in sessions
    ]
    async with database.transaction() as connection:
        parameters = columns(("workspaces", "sessions", "told", "settled"), rows)
        await connection.execute(queries("chat")["mark_told"], parameters)


async def last(database: Database, chat: ChatKey) -> LastSession | None:
    """The newest session of a chat; None when there was none."""
    rows = await database.fetch([chat.workspace], queries("chat")["last_session"], chat._asdict())
    return LastSession(*rows[0]) if rows else None


async def _ended(connection: Connection, query: str, parameters: dict[str, object]) -> list[ChatKey]:
    rows = await (await connection.execute(queries("chat")[query], parameters)).fetchall()
    chats = [ChatKey(*row) for row in rows]
    await tell(connection, chats, Told.ENDED)
    return chats
