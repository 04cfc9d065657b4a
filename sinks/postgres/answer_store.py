"""What agents answer: rows of `answers`, in the transaction of the ticket's new version."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from contracts.base import decoder
from contracts.inbound import InboundMessage
from runtime.postgres import Connection, Database
from sinks.postgres.chat_store import ChatKey, add_lines
from sinks.postgres.sql import queries

_messages = decoder(InboundMessage)


class Answer(NamedTuple):
    """One answer. `recipient`: whom it goes to, as the channel names them, of a chat the conversation; `name`: what the
    customer is shown of the agent."""

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


async def add_answer(
    connection: Connection, workspace: UUID, ticket: UUID, agent: str, answer: Answer
) -> bool:
    """Stores an answer; False when it is stored already. Two at once with the same id wait for each other."""
    parameters = {
        "workspace": workspace,
        "answer": answer.id,
        "ticket": ticket,
        "channel": answer.channel,
        "account": answer.account,
        "recipient": answer.recipient,
        "agent": agent,
        "name": answer.name,
        "text": answer.text,
        "now": answer.at,
    }
    rows = await (await connection.execute(queries("chat")["add_answer"], parameters)).fetchall()
    return bool(rows)


async def show_answer(connection: Connection, chat: ChatKey, agent: str, answer: Answer) -> None:
    """Gives the answer its place in the chat, which its visitor is shown at the commit, and takes the session up. When all
    other locks are held."""
    await add_lines(connection, [chat], [answer.id])
    parameters = chat._asdict() | {"agent": agent, "now": answer.at}
    await connection.execute(queries("chat")["pick_up"], parameters)


async def answers_of(database: Database, workspace: UUID, ticket: UUID) -> list[Answer]:
    """All answers on a ticket, oldest first."""
    parameters = {"workspace": workspace, "ticket": ticket}
    rows = await database.fetch([workspace], queries("chat")["answers_of_ticket"], parameters)
    return [Answer(*row) for row in rows]
