"""Mails that the desk writes, finished for transport. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from contracts import reply_tokens
from contracts.errors import Refused
from contracts.outbound import OutboundMessage
from contracts.ticket import Ticket
from contracts.workspace import MailSender, Workspace
from desk.code_texts import CODE_TEXTS

_MAX_SUBJECT = 200
_REFERENCES = 20

_HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


class CodeMail(NamedTuple):
    """A code for one address. `link`: opens the page that confirms it by a button. `language`: one of `CODE_TEXTS`."""

    outbound: UUID
    workspace: UUID
    recipient: str
    code: str
    link: str
    minutes: int
    at: datetime
    language: str


class Answered(NamedTuple):
    """The mail that is answered: who wrote it, through which account, and its place in the conversation."""

    account: str
    recipient: str
    subject: str | None
    message_id: str | None
    references: tuple[str, ...] = ()


def answer_mail(
    identity: UUID,
    ticket: Ticket,
    to: Answered,
    text: str,
    sender: MailSender,
    keys: Sequence[bytes],
    at: datetime,
) -> OutboundMessage:
    """An answer from the ticket's department, in the conversation. `keys`: of the workspace's reply tokens, the newest first;
    with none, what comes back finds its ticket by the ids of the mails alone."""
    domain = sender.address.rpartition("@")[2]
    reply_to, message_id = sender.address, f"{identity}@{domain}"
    if keys:
        token = reply_tokens.mint(keys[0], ticket.workspace, ticket.number, to.recipient)
        reply_to = reply_tokens.reply_address(sender.address, token)
        message_id = reply_tokens.reply_id(token, identity.hex, domain)
    named = (*to.references, *((to.message_id,) if to.message_id else ()))
    return OutboundMessage(
        outbound_id=identity,
        workspace=ticket.workspace,
        ticket_id=ticket.id,
        channel="email",
        account=to.account,
        recipient=to.recipient,
        subject=_answered(to.subject or ticket.subject or ""),
        text=f"{text}\n\n{sender.signature}".rstrip() + "\n",
        created_at=at,
        sender=f"{sender.name} <{sender.address}>",
        reply_to=reply_to,
        message_id=message_id,
        in_reply_to=to.message_id,
        references=tuple(dict.fromkeys(named))[-_REFERENCES:],
    )


def _answered(subject: str) -> str:
    """One line, with one `Re:`."""
    line = " ".join(subject.split())
    return line[:_MAX_SUBJECT] if line.lower().startswith("re:") else f"Re: {line}"[:_MAX_SUBJECT].rstrip()


def sender_of(config: Workspace, department: str | None = None) -> MailSender:
    """Whom a mail of this department is from. Raises `Refused` with 409 where the configuration names nobody."""
    named = next((d.sender for d in config.departments if d.id == department), None) or config.sender
    if named is None:
        raise Refused(
            "no_sender", "give the workspace, or the department, a `sender` in the configuration", status=409
        )
    return named


def code_mail(mail: CodeMail, sender: MailSender) -> OutboundMessage:
    """The text of its language (`code_texts`), with nothing in it that anybody typed."""
    code = f"{mail.code[:4]} {mail.code[4:]}"
    said = CODE_TEXTS[mail.language]
    text = said.text.format(name=sender.name, link=mail.link, code=code, minutes=mail.minutes)
    domain = sender.address.rpartition("@")[2]
    return OutboundMessage(
        outbound_id=mail.outbound,
        workspace=mail.workspace,
        ticket_id=None,
        channel="email",
        account="",
        recipient=mail.recipient,
        subject=said.subject.format(name=sender.name),
        text=f"{text}\n\n{sender.signature}".rstrip() + "\n",
        created_at=mail.at,
        sender=f"{sender.name} <{sender.address}>",
        reply_to=sender.address,
        message_id=f"{mail.outbound}@{domain}",
        bounces_to="",
        headers=_HEADERS,
    )
