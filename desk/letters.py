"""Mails that the desk writes, finished for transport. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from contracts.errors import Refused
from contracts.outbound import OutboundMessage
from contracts.workspace import MailSender, Workspace

_HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


class CodeMail(NamedTuple):
    """A code for one address. `link`: opens the page that confirms it by a button."""

    outbound: UUID
    workspace: UUID
    recipient: str
    code: str
    link: str
    minutes: int
    at: datetime


def sender_of(config: Workspace, department: str | None = None) -> MailSender:
    """Whom a mail of this department is from. Raises `Refused` with 409 where the configuration names nobody."""
    named = next((d.sender for d in config.departments if d.id == department), None) or config.sender
    if named is None:
        raise Refused("no_sender", "give the workspace a `sender` in its configuration", status=409)
    return named


def code_mail(mail: CodeMail, sender: MailSender) -> OutboundMessage:
    """Always the same words: nothing that anybody typed is in it, for it goes to somebody who may never have written."""
    code = f"{mail.code[:4]} {mail.code[4:]}"
    text = (
        f"Somebody who writes to {sender.name} says that this address is theirs.\n\n"
        f"If it was you, open this page:\n{mail.link}\n\nor tell us this code: {code}\n\n"
        f"Both are good once, and for {mail.minutes} minutes. If it was not you, do nothing."
    )
    domain = sender.address.rpartition("@")[2]
    return OutboundMessage(
        outbound_id=mail.outbound,
        workspace=mail.workspace,
        ticket_id=None,
        channel="email",
        account="",
        recipient=mail.recipient,
        subject=f"Your code for {sender.name}",
        text=f"{text}\n\n{sender.signature}".rstrip() + "\n",
        created_at=mail.at,
        sender=f"{sender.name} <{sender.address}>",
        reply_to=sender.address,
        message_id=f"{mail.outbound}@{domain}",
        bounces_to="",
        headers=_HEADERS,
    )
