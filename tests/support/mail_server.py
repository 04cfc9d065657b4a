"""A mail server that takes our mail: aiosmtpd, told how to answer."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from runtime.settings import Smarthost


class MailServer:
    """`answers`: to MAIL, RCPT and the content, used up in order; then everything is taken. `cuts`: how many connections end
    after the content has come and before the answer."""

    def __init__(self) -> None:
        self.taken: list[EmailMessage] = []
        self.envelopes: list[tuple[str | None, list[str]]] = []
        self.answers: dict[str, list[str]] = {}
        self.cuts = 0
        self.sessions = 0
        self.port = 0

    def as_setting(self, workspace: str, **given: Any) -> Smarthost:
        return Smarthost(
            **({"workspace": workspace, "host": "127.0.0.1", "port": self.port, "tls": "none"} | given)
        )

    def _answer(self, command: str) -> str | None:
        waiting = self.answers.get(command)
        return waiting.pop(0) if waiting else None

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        self.sessions += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        return self._answer("MAIL") or "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.rcpt_tos.append(address)
        return self._answer("RCPT") or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if answer := self._answer("DATA"):
            return answer
        assert isinstance(envelope.content, bytes)
        self.taken.append(message_from_bytes(envelope.content, policy=default))  # type: ignore[arg-type]
        self.envelopes.append((envelope.mail_from, list(envelope.rcpt_tos)))
        if self.cuts:
            self.cuts -= 1
            assert server.transport is not None
            server.transport.abort()
        return "250 2.0.0 taken"


@asynccontextmanager
async def mail_server(
    certificate: ssl.SSLContext | None = None, password: str | None = None
) -> AsyncIterator[MailServer]:
    """On a port of its own. With a certificate it offers STARTTLS and insists on it; with a password, on that of `desk`."""
    server = MailServer()

    def authenticate(_: Any, __: Any, ___: Any, mechanism: str, data: Any) -> AuthResult:
        # Not handled: the server says so in its own words.
        return AuthResult(
            handled=False,
            success=data.login == b"desk" and data.password == (password or "").encode(),
        )

    def session() -> SMTP:
        options: dict[str, Any] = {"enable_SMTPUTF8": True, "hostname": "mail.example"}
        if certificate:
            options |= {"tls_context": certificate, "require_starttls": True}
        if password is not None:
            options |= {
                "authenticator": authenticate,
                "auth_required": True,
                "auth_require_tls": bool(certificate),
            }
        return SMTP(server, **options)

    listening = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()
