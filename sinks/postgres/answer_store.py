"""What agents answer, and rules in chats: rows of `answers`, in the transaction of the ticket's new version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from contracts.base import decoder
from contracts.inbound import InboundMessage
from runtime.postgres import Connection, Database
from sinks.postgres.chat_store import ChatKey, add_lines
from sinks.postgres.sql import queries, run
from sinks.postgres.ticket_store import AnswerRow

_messages = decoder(InboundMessage)
_COLUMNS = (
    *("workspaces", "answers", "tickets", "channels", "accounts", "recipients", "agents", "names"),
    *("texts", "at"),
)


class Answer(NamedTuple):
    """One answer, as `AnswerRow` says."""

    id: UUID
    channel: str
    account: str
    recipient: str
    name: str
    text: str
    at: datetime


async def chat_of(connection: Connection, workspace: UUID, ticket: UUID) -> ChatKey | None:
    """The chat that the ticket's customer last wrote in; None when there is none."""
    parameters = {"workspace": workspace, "ticket": ticket}
    rows = await (await connection.execute(queries("chat")["chat_of_ticket"], parameters)).fetchall()
    return ChatKey(workspace, *rows[0]) if rows else None


async def mail_of(connection: Connection, workspace: UUID, ticket: UUID) -> InboundMessage | None:
    """The newest mail or form that the ticket's customer sent; None when there is none."""
    parameters = {"workspace": workspace, "ticket": ticket}
    rows = await (await connection.execute(queries("chat")["mail_of_ticket"], parameters)).fetchall()
    return _messages.decode(rows[0][0]) if rows else None


async def add_answer(connection: Connection, row: AnswerRow) -> bool:
    """Stores an answer; False when it is stored already. Two at once with the same id wait for each other."""
    rows = await run(connection, queries("chat")["add_answers"], _COLUMNS, [row])
    return await rows.fetchone() is not None


async def show_answer(connection: Connection, row: AnswerRow) -> None:
    """Gives an agent's answer its place in the chat, which its visitor is shown at the commit, and takes the session up. When
    all other locks are held."""
    chat = _chat(row)
    await add_lines(connection, [chat], [row.answer])
    parameters = chat._asdict() | {"agent": row.agent, "now": row.at}
    await connection.execute(queries("chat")["pick_up"], parameters)


async def write_chat_answers(connection: Connection, rows: Sequence[AnswerRow]) -> None:
    """Those that a batch decided on, each behind the message that it answers. Nobody has taken the session up by them. When all
    other locks are held."""
    if rows:
        await run(connection, queries("chat")["add_answers"], _COLUMNS, rows)
        await add_lines(connection, [_chat(row) for row in rows], [row.answer for row in rows])


def _chat(row: AnswerRow) -> ChatKey:
    return ChatKey(row.workspace, row.account, row.recipient)


async def answers_of(database: Database, workspace: UUID, ticket: UUID) -> list[Answer]:
    """All answers on a ticket, oldest first."""
    parameters = {"workspace": workspace, "ticket": ticket}
    rows = await database.fetch([workspace], queries("chat")["answers_of_ticket"], parameters)
    return [Answer(*row) for row in rows]
