"""Automatic answers: whether one may be sent, and its text. The fences keep two programs from answering each other for ever:
nothing that a program sent is answered, and no sender gets more than one answer in 24 hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from contracts import ids, reply_tokens
from contracts.calendars import NeverOpen
from contracts.channels import LIMITS
from contracts.inbound import HandleKind, InboundMessage
from contracts.outbound import OutboundMessage
from contracts.rules import Template
from contracts.ticket import Ticket
from contracts.workspace import MailSender
from router.openings import spoken
from router.ruleset import RuleSet

ONE_IN = timedelta(hours=24)
"""One automatic answer a sender in this time."""

MAIL = "email"
_SUBJECT = 500
_BY_MAIL = (MAIL, "webform")
# Where the person's own handle is the address to answer to; elsewhere the conversation is.
_BY_HANDLE: dict[str, HandleKind] = {"email": "email", "webform": "email", "sms": "phone"}
_NEVER = ("call", "rating", "facebook_wall")
"""Channels without an answer in private."""
_HEADERS = {"Auto-Submitted": "auto-replied", "X-Auto-Response-Suppress": "All"}


class To(NamedTuple):
    """Whom an automatic answer goes to."""

    channel: str
    account: str
    recipient: str


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is to be sent."""

    to: To
    template: Template


def addressee(message: InboundMessage, rules: RuleSet) -> To | None:
    """Where an answer to this message would go; None where it cannot be answered."""
    if message.channel in _NEVER or message.channel not in LIMITS:
        return None
    kind = _BY_HANDLE.get(message.channel)
    if kind is None:
        return (
            To(message.channel, message.account, message.conversation_key)
            if message.conversation_key
            else None
        )
    value = next((h.value.strip() for h in message.sender.handles if h.kind == kind), None)
    if value is None:
        return None
    if message.channel in _BY_MAIL:
        return To(MAIL, rules.mail_account(message), value.lower())
    return To(message.channel, message.account, value)


def decide(
    message: InboundMessage,
    to: To | None,
    template: str,
    last: datetime | None,
    department: str,
    rules: RuleSet,
    now: datetime,
) -> tuple[Reply | None, dict[str, Any]]:
    """The answer, or None; and for the record, why. `last`: when this addressee last got one."""
    record: dict[str, Any] = {"template": template}
    if last is not None:
        record["last"] = last.isoformat()
    refused = _refused(message, to, last, department, rules, now)
    found = rules.template(template)
    if refused is not None or to is None or found is None:
        return None, record | {"refused": refused or "no_template"}
    return Reply(to, found), record | {"sent_to": to.channel}


def _refused(
    message: InboundMessage,
    to: To | None,
    last: datetime | None,
    department: str,
    rules: RuleSet,
    now: datetime,
) -> str | None:
    if message.kind != "message" or message.direction != "in":
        return "not_a_message"
    if "automated" in message.marks:
        return "automated"
    if message.sender.authentication == "fail":
        return "forged"
    if to is None:
        return "no_address"
    if to.channel == MAIL and rules.sender(department) is None:
        return "no_sender"
    if rules.is_own(to.recipient):
        return "own_address"
    if last is not None and now - last < ONE_IN:
        return "answered_before"
    return None


def compose(
    reply: Reply,
    ticket: Ticket,
    message: InboundMessage,
    rules: RuleSet,
    keys: Sequence[bytes],
    now: datetime,
) -> OutboundMessage:
    """The finished message. `keys` sign its reply token, the newest first; with none it carries no token."""
    language = rules.language(f"{message.subject or ''}\n{message.text or ''}") or "en"
    values = _values(ticket, message, rules, language, now)
    if reply.to.channel == MAIL and not _is_proven(message, reply.to.recipient):
        # Whoever typed somebody else's address must not have their own words sent there.
        values |= {"name": "", "subject": f"#{ticket.number}"}
    template, identity = reply.template, ids.automatic_reply_id(message.message_id)
    text = template.translations.get(language, template.text).format_map(values)
    plain = OutboundMessage(
        outbound_id=identity,
        workspace=ticket.workspace,
        ticket_id=ticket.id,
        channel=reply.to.channel,
        account=reply.to.account,
        recipient=reply.to.recipient,
        created_at=now,
        text=text.rstrip()[: LIMITS[reply.to.channel].text],
    )
    sender = rules.sender(ticket.department)
    if reply.to.channel != MAIL or sender is None:
        return plain
    answered = message.fields.get("message_id")
    title = (template.subject or "Re: {subject}").format_map(values)
    mail = msgspec.structs.replace(
        plain,
        text=f"{text.rstrip()}\n\n{sender.signature}".rstrip(),
        subject=" ".join(title.split())[:_SUBJECT],
        in_reply_to=answered,
        references=(*message.reply_to, *((answered,) if answered else ())),
        headers=_HEADERS,
        sender=f"{sender.name} <{sender.address}>",
        bounces_to="",
    )
    return msgspec.structs.replace(mail, **_tokens(ticket, reply.to.recipient, sender, identity, keys))


def _is_proven(message: InboundMessage, recipient: str) -> bool:
    return any(
        handle.kind == "email"
        and handle.value.strip().lower() == recipient
        and handle.proof in ("verified", "authoritative")
        for handle in message.sender.handles
    )


def _tokens(
    ticket: Ticket, recipient: str, sender: MailSender, identity: UUID, keys: Sequence[bytes]
) -> dict[str, str]:
    """Addresses that lead an answer back to its ticket."""
    if not keys:
        return {"reply_to": sender.address}
    key = reply_tokens.workspace_key(keys[0], ticket.workspace)
    token = reply_tokens.mint(key, ticket.workspace, ticket.number, recipient)
    domain = sender.address.rpartition("@")[2]
    return {
        "reply_to": reply_tokens.reply_address(sender.address, token),
        "message_id": reply_tokens.reply_id(token, identity.hex[:8], domain),
    }


def _values(
    ticket: Ticket, message: InboundMessage, rules: RuleSet, language: str, now: datetime
) -> dict[str, str]:
    department = rules.department(ticket.department)
    try:
        opening = spoken(
            rules.calendar(ticket.department).next_open(now), rules.zone(ticket.department), language
        )
    except NeverOpen:
        opening = ""
    return {
        "number": str(ticket.number),
        "name": (message.sender.display_name or "").strip(),
        "subject": ticket.subject or "",
        "department": department.name if department else ticket.department,
        "next_opening": opening,
        "workspace": rules.workspace.name,
    }
