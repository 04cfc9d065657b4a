"""Mail, handed to a server that sends it on (RFC 5321, RFC 6409). One recipient a message, so that each is accounted for."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from contextlib import suppress
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from contracts.ids import workspace_id
from contracts.outbound import OutboundMessage
from runtime.settings import Settings, Smarthost
from sinks.senders.transport import NotDelivered

_CONNECT_SECONDS = 20.0
_REPLY_SECONDS = 60.0
_DATA_SECONDS = 180.0
"""A server may look at a mail for long before it takes it (RFC 5321 4.5.3.2.6 asks for more patience still)."""
_REPLY = 300


class Mail:
    """Keeps a connection open from one mail to the next."""

    def __init__(self, settings: Settings) -> None:
        self._hosts = {workspace_id(host.workspace): host for host in settings.smarthosts}
        self._open: dict[UUID, smtplib.SMTP] = {}

    async def send(self, message: OutboundMessage) -> str:
        host = self._hosts.get(message.workspace)
        if host is None:
            raise NotDelivered("no_smarthost", standing=True)
        mail = written(message)
        return await asyncio.to_thread(self._hand_over, host, message, mail)

    async def idle(self) -> None:
        while self._open:
            _, server = self._open.popitem()
            await asyncio.to_thread(_leave, server)

    def _hand_over(self, host: Smarthost, message: OutboundMessage, mail: EmailMessage) -> str:
        server = self._server(host, message.workspace)
        try:
            reply = _transaction(server, message, mail)
        except BaseException:
            _leave(server)
            raise
        self._open[message.workspace] = server
        return reply

    def _server(self, host: Smarthost, workspace: UUID) -> smtplib.SMTP:
        """The connection of before, if it still answers, else a new one."""
        server = self._open.pop(workspace, None)
        if server is not None:
            with suppress(OSError, smtplib.SMTPException):
                if server.noop()[0] == 250:
                    return server
            _leave(server)
        return _connected(host)


def written(message: OutboundMessage) -> EmailMessage:
    """The mail, always the same bytes. Raises `NotDelivered`, for good, for what cannot be written into a header: nothing of
    a message can add one."""
    ascii_only = f"{message.recipient}{message.sender}".isascii()
    mail = EmailMessage(policy=SMTP if ascii_only else SMTPUTF8)
    headers: dict[str, Any] = {
        "Reply-To": message.reply_to,
        "Subject": message.subject or "",
        "Date": format_datetime(message.created_at),
        "Message-ID": _bracketed(message.message_id or f"{message.outbound_id}@{_domain(message)}"),
        "In-Reply-To": _bracketed(message.in_reply_to),
        "References": " ".join(f"<{one}>" for one in message.references) or None,
        **message.headers,
    }
    try:
        name, address = _sender(message)
        mail["From"] = Address(name, addr_spec=address)
        mail["To"] = Address(addr_spec=message.recipient)
        for name, value in headers.items():
            if value is not None:
                mail[name] = value
        mail.set_content(message.text, cte="quoted-printable")
        if message.html is not None:
            mail.add_alternative(message.html, subtype="html", cte="quoted-printable")
    except (ValueError, HeaderParseError, IndexError) as error:
        raise NotDelivered("cannot_be_written", type(error).__name__, permanent=True) from None
    return mail


def _transaction(server: smtplib.SMTP, message: OutboundMessage, mail: EmailMessage) -> str:
    sender = message.bounces_to if message.bounces_to is not None else _sender(message)[1]
    options = () if mail.policy is SMTP else ("SMTPUTF8",)
    try:
        _accepted("sender", server.mail(sender, options))
        _accepted("recipient", server.rcpt(message.recipient))
    except smtplib.SMTPServerDisconnected:
        raise NotDelivered("connection_lost") from None
    except smtplib.SMTPNotSupportedError as error:
        raise NotDelivered("address_not_supported", str(error), permanent=True) from None
    except OSError as error:
        raise NotDelivered("connection_lost", type(error).__name__) from None
    if server.sock is not None:
        server.sock.settimeout(_DATA_SECONDS)
    try:
        return _accepted("content", server.data(mail.as_bytes()))
    except smtplib.SMTPDataError as error:
        raise _refused("content", error.smtp_code, error.smtp_error) from None
    except (smtplib.SMTPException, OSError) as error:
        raise NotDelivered("answer_lost", type(error).__name__, unsure=True) from None


def _connected(host: Smarthost) -> smtplib.SMTP:
    """Raises `NotDelivered`: nothing has been sent then."""
    secure = ssl.create_default_context(cafile=host.ca_file)
    server: smtplib.SMTP | None = None
    try:
        if host.tls == "tls":
            server = smtplib.SMTP_SSL(host.host, host.port, timeout=_CONNECT_SECONDS, context=secure)
        else:
            server = smtplib.SMTP(host.host, host.port, timeout=_CONNECT_SECONDS)
        if host.tls == "starttls":
            server.starttls(context=secure)
        server.ehlo_or_helo_if_needed()
        if host.user:
            password = Path(host.password_file).read_text().strip() if host.password_file else host.password
            server.login(host.user, password)
        if server.sock is not None:
            server.sock.settimeout(_REPLY_SECONDS)
        return server
    except smtplib.SMTPAuthenticationError as error:
        reason, reply = "bad_credentials", _told(error.smtp_error)
    except smtplib.SMTPException as error:
        reason, reply = "no_session", type(error).__name__
    except OSError as error:
        reason, reply = "no_connection", type(error).__name__
    if server is not None:
        _leave(server)
    raise NotDelivered(reason, reply, standing=True)


def _accepted(what: str, answer: tuple[int, bytes]) -> str:
    code, said = answer
    if code not in (250, 251):
        raise _refused(what, code, said)
    return f"{code} {_told(said)}"


def _refused(what: str, code: int, said: bytes | str) -> NotDelivered:
    """5yz is for good, 4yz for now (RFC 5321 4.2.1)."""
    return NotDelivered(f"{what}_refused", f"{code} {_told(said)}", permanent=500 <= code < 600)


def _told(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return " ".join(text.split())[:_REPLY]


def _leave(server: smtplib.SMTP) -> None:
    with suppress(OSError, smtplib.SMTPException):
        if server.sock is not None:
            server.sock.settimeout(2.0)
            server.quit()
    server.close()


def _bracketed(identifier: str | None) -> str | None:
    return f"<{identifier}>" if identifier else None


def _sender(message: OutboundMessage) -> tuple[str, str]:
    """Name and address of `Name <address>`, whatever characters the name has."""
    name, opened, address = (message.sender or "").rpartition("<")
    return (name.strip(), address.removesuffix(">")) if opened else ("", address)


def _domain(message: OutboundMessage) -> str:
    return _sender(message)[1].rpartition("@")[2] or "localhost"
