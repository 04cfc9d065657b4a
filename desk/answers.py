"""Agents write back. For now into chats; the line is pushed to whoever has the chat open, and waits for who comes back."""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from contracts.channels import LIMITS
from contracts.errors import Refused
from contracts.ids import answer_id
from contracts.ticket import Ticket
from desk.auth import Viewer
from desk.tickets import may_hold, not_found
from router import timing
from router.service_levels import ServiceLevels
from runtime.clock import Clock
from runtime.postgres import Connection, Database
from sinks.postgres.answer_store import add_answer, chat_answer, chat_of, show_answer
from sinks.postgres.chat_store import CHANNEL, ChatKey, Told, tell
from sinks.postgres.rows import StoredTicket, replace
from sinks.postgres.ticket_changes import change_ticket
from sinks.postgres.ticket_reads import one_ticket


class Answered(NamedTuple):
    """The ticket after the answer, and the answer's id."""

    stored: StoredTicket
    answer: UUID


class Answers:
    """The desk's use case."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def send(
        self, viewer: Viewer, named: str, text: str, key: str, expected_version: int | None
    ) -> Answered:
        """Stores the answer and raises the ticket's version. A new ticket is open then, and one that nobody holds is the
        writer's. The same key again changes nothing.

        Raises `Refused`: 404 for a ticket that the viewer may not see, 409 for one without a chat, 422 for a text that is
        empty or too long.
        """
        text, now = _checked(text), self._clock.now()
        async with self._database.transaction([viewer.workspace]) as connection:
            found, chat = await _chat(connection, viewer, named)
            ticket = found.ticket.id
            identity = answer_id(viewer.workspace, ticket, key)
            answer = chat_answer(identity, chat, viewer.name, text, now)
            if not await add_answer(connection, chat, ticket, viewer.agent, answer):
                return Answered(found, identity)

            def mutate(before: Ticket) -> Ticket:
                # Asked again under the lock: the ticket may have been transferred meanwhile.
                if not viewer.sees(before):
                    raise not_found()
                holds = may_hold(viewer.config, viewer.agent, before.department)
                answered = replace(
                    before,
                    agent=before.agent or (viewer.agent if holds else None),
                    status="open" if before.status == "new" else before.status,
                    messages=before.messages + 1,
                )
                return timing.changed(before, answered, now, ServiceLevels(viewer.config), "agent")

            detail = {"answer": identity}
            stored = await change_ticket(
                connection,
                viewer.workspace,
                ticket,
                expected_version,
                viewer.actor,
                "message_added",
                mutate,
                detail,
                now,
            )
            await show_answer(connection, chat, viewer.agent, answer)
        return Answered(stored, identity)

    async def typing(self, viewer: Viewer, named: str) -> None:
        """Shows in the open tabs of the ticket's chat that somebody is writing. Nothing is stored. Raises `Refused` as `send`
        does."""
        async with self._database.transaction([viewer.workspace]) as connection:
            _, chat = await _chat(connection, viewer, named)
            await tell(connection, [chat], Told.TYPING)


async def _chat(connection: Connection, viewer: Viewer, named: str) -> tuple[StoredTicket, ChatKey]:
    found = await one_ticket(connection, viewer.workspace, viewer.visible, named, viewer.agent)
    if found is None:
        raise not_found()
    chat = await chat_of(connection, viewer.workspace, found.ticket.id)
    if chat is None:
        raise Refused("no_chat", "this ticket has no chat to answer in", status=409)
    return found, chat


def _checked(text: str) -> str:
    text, most = text.replace("\0", "\ufffd").strip(), LIMITS[CHANNEL].text
    if not text:
        raise Refused("missing", "write something", status=422, field="text")
    if most is not None and len(text) > most:
        raise Refused("too_long", f"at most {most} characters", status=422, field="text")
    return text
