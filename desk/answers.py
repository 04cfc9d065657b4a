"""Agents write back: into a chat, whose line is pushed to whoever has it open and waits for who comes back, or by mail, from the
ticket's department."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from contracts.channels import LIMITS
from contracts.errors import Refused
from contracts.ids import answer_id
from contracts.reply_tokens import workspace_key
from contracts.ticket import Ticket
from desk import letters
from desk.auth import Viewer
from desk.tickets import may_hold, not_found
from router import timing
from router.service_levels import ServiceLevels
from runtime.clock import Clock
from runtime.postgres import Connection, Database
from sinks.postgres.answer_store import add_answer, chat_of, mail_of, show_answer
from sinks.postgres.chat_store import CHANNEL, ChatKey, Told, tell
from sinks.postgres.rows import StoredTicket, replace
from sinks.postgres.ticket_changes import change_ticket
from sinks.postgres.ticket_reads import one_ticket
from sinks.postgres.ticket_store import AnswerRow, OutboxRow, Writes
from sinks.postgres.ticket_writes import write

MAIL = "email"


class Answered(NamedTuple):
    """The ticket after the answer, and the answer's id."""

    stored: StoredTicket
    answer: UUID


class Answers:
    """The desk's use case."""

    def __init__(self, database: Database, clock: Clock, reply_secrets: Sequence[str] = ()) -> None:
        self._database = database
        self._clock = clock
        self._secrets = [secret.encode() for secret in reply_secrets]

    async def send(
        self, viewer: Viewer, named: str, text: str, key: str, expected_version: int | None
    ) -> Answered:
        """Stores the answer and raises the ticket's version. A new ticket is open then, and one that nobody holds is the
        writer's. The same key again changes nothing.

        Raises `Refused`: 404 for a ticket that the viewer may not see, 409 for one that has neither a chat nor a mail, or
        whose department has nobody to send mail as, 422 for a text that is empty or too long.
        """
        now = self._clock.now()
        async with self._database.transaction([viewer.workspace]) as connection:
            found, to = await _destination(connection, viewer, named)
            text = _checked(text, CHANNEL if isinstance(to, ChatKey) else MAIL)
            ticket = found.ticket.id
            identity = answer_id(viewer.workspace, ticket, key)
            answer = AnswerRow(
                viewer.workspace,
                identity,
                ticket,
                CHANNEL if isinstance(to, ChatKey) else MAIL,
                to.account,
                to.conversation if isinstance(to, ChatKey) else to.recipient,
                viewer.agent,
                viewer.name,
                text,
                now,
            )
            if not await add_answer(connection, answer):
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
            if isinstance(to, ChatKey):
                await show_answer(connection, answer)
            else:
                await self._mail(connection, viewer, stored.ticket, to, answer)
        return Answered(stored, identity)

    async def _mail(
        self, connection: Connection, viewer: Viewer, ticket: Ticket, to: letters.Answered, answer: AnswerRow
    ) -> None:
        """Puts the mail into the outbox, and its id where an answer to it will be looked for."""
        sender = letters.sender_of(viewer.config, ticket.department)
        keys = [workspace_key(secret, viewer.workspace) for secret in self._secrets]
        mail = letters.answer_mail(answer.answer, ticket, to, answer.text, sender, keys, answer.at)
        row = OutboxRow.of(
            "outbound", ticket.id, mail.outbound_id, "message", mail, viewer.workspace, answer.at
        )
        refs = {(viewer.workspace, "mail", mail.message_id, ticket.id)} if mail.message_id else set()
        await write(connection, Writes(outbox=[row], refs=refs))

    async def typing(self, viewer: Viewer, named: str) -> None:
        """Shows in the open tabs of the ticket's chat that somebody is writing. Nothing is stored. Raises `Refused` as `send`
        does."""
        async with self._database.transaction([viewer.workspace]) as connection:
            _, to = await _destination(connection, viewer, named)
            if not isinstance(to, ChatKey):
                raise Refused("no_chat", "nobody sees who writes a mail", status=409)
            await tell(connection, [to], Told.TYPING)


async def _destination(
    connection: Connection, viewer: Viewer, named: str
) -> tuple[StoredTicket, ChatKey | letters.Answered]:
    """Where the ticket's customer is answered: in the chat they wrote in, else by mail."""
    found = await one_ticket(connection, viewer.workspace, viewer.visible, named, viewer.agent)
    if found is None:
        raise not_found()
    chat = await chat_of(connection, viewer.workspace, found.ticket.id)
    if chat is not None:
        return found, chat
    last = await mail_of(connection, viewer.workspace, found.ticket.id)
    address = next((one.value for one in last.sender.handles if one.kind == "email"), None) if last else None
    if last is None or address is None:
        raise Refused("no_chat", "this ticket has neither a chat nor an address to answer to", status=409)
    own = last.fields.get("message_id")
    subject = last.fields.get("stripped_subject") or last.subject
    return found, letters.Answered(last.account, address, subject, own, last.reply_to)


def _checked(text: str, channel: str) -> str:
    text, most = text.replace("\0", "\ufffd").strip(), LIMITS[channel].text
    if not text:
        raise Refused("missing", "write something", status=422, field="text")
    if most is not None and len(text) > most:
        raise Refused("too_long", f"at most {most} characters", status=422, field="text")
    return text
