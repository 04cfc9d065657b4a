"""Mail by SMTP (RFC 5321): only for configured addresses, and answered with 250 only when it is durable. What could not be
stored is answered with 451: the sender's server keeps it and tries again, for days."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
from collections.abc import Sequence
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import NamedTuple, cast
from uuid import uuid4

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session

from contracts.channels import LIMITS
from contracts.errors import Transient
from contracts.ids import workspace_id
from contracts.workspace import Account, Workspace
from ingest.accounts import options
from ingest.channel import Raw, channels
from ingest.mail import received
from ingest.polling import Parts
from runtime import trace
from runtime.failpoints import failpoint
from runtime.health import Health
from runtime.settings import Settings, SettingsError
from runtime.tasks import end

_CHANNEL = "email"
_MOST_BYTES = LIMITS[_CHANNEL].body
_LONGEST_LINE = 16 << 20
_MOST_RECIPIENTS = 100
_MOST_CONNECTIONS = 20
_COMMAND_SECONDS = 300.0
_STORE_SECONDS = 60.0
_GRACE_SECONDS = 8.0

Mailbox = tuple[Workspace, Account]
Network = IPv4Network | IPv6Network

log = structlog.get_logger(__name__)


class SmtpService:
    """The listener. Ready means that the configuration is known."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._parts = Parts(settings)
        self._tls = _certificate(settings)
        self._relays = _networks(settings.smtp_relays)
        self._open: set[_Connection] = set()
        self._name = socket.getfqdn()
        self._stopping = asyncio.Event()

    def report(self, health: Health) -> None:
        health.ready_checks["accounts"] = self._parts.accounts.check

    async def run(self) -> None:
        """Until `stop`. Mails under way are answered first. Raises `OSError` when the port is taken."""
        # It logs every command, and commands hold addresses.
        logging.getLogger("mail.log").setLevel(logging.ERROR)
        parts, loop = self._parts, asyncio.get_running_loop()
        async with parts.database:
            await parts.producer.start()
            fresh = asyncio.create_task(parts.keep_up())
            server = await loop.create_server(
                self._connection, self._settings.listen, self._settings.smtp_port
            )
            try:
                await self._stopping.wait()
            finally:
                server.close()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_GRACE_SECONDS):
                        await asyncio.gather(*(one.idle.wait() for one in self._open))
                for one in list(self._open):
                    one.abort()
                await end((fresh,))
                await parts.producer.stop()

    async def stop(self) -> None:
        self._stopping.set()

    def _connection(self) -> _Connection:
        return _Connection(Door(self._parts, self._name, self._relays), self._name, self._tls, self._open)


class _Taken(NamedTuple):
    """A mail, what we put on top of it, and whether no server of ours handed it over."""

    content: bytes
    received: bytes
    from_stranger: bool
    at: datetime


class Door:
    """What the protocol asks: whose mail it takes, and where a mail goes. The names are aiosmtpd's."""

    def __init__(self, parts: Parts, name: str, relays: Sequence[Network]) -> None:
        self._parts = parts
        self._name = name
        self._relays = relays

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, rcpt_options: list[str]
    ) -> str:
        """Takes no mail for others: no relay, and no answer to a mail that nobody would read."""
        if not self._parts.accounts.loaded:
            return "451 4.3.0 Starting, try again"
        if not self._parts.accounts.addressed(address):
            return "550 5.1.1 No such mailbox here"
        if len(envelope.rcpt_tos) >= _MOST_RECIPIENTS:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(rcpt_options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Once for each account that a recipient belongs to, with its own recipients only: a Bcc stays one."""
        taken = self._taken(session, envelope)
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                await asyncio.gather(
                    *(
                        self._take(taken, mailbox, addresses, envelope.mail_from)
                        for mailbox, addresses in self._mailboxes(envelope.rcpt_tos)
                    )
                )
        except (Transient, TimeoutError) as error:
            log.warning("mail not stored", error=str(error))
            return "451 4.3.0 Not stored, try again"
        failpoint("smtp.after_produce")
        return "250 2.0.0 OK"

    async def handle_exception(self, error: Exception) -> str:
        """The original would tell the client to give the mail up."""
        log.error("smtp failed", error=type(error).__name__, exc_info=error)
        return "451 4.3.0 Failed here, try again"

    def _mailboxes(self, addresses: Sequence[str]) -> list[tuple[Mailbox, tuple[str, ...]]]:
        found: dict[tuple[str, str], tuple[Mailbox, list[str]]] = {}
        for address in addresses:
            for mailbox in self._parts.accounts.addressed(address):
                key = (mailbox[0].slug, mailbox[1].id)
                found.setdefault(key, (mailbox, []))[1].append(address)
        return [(mailbox, tuple(own)) for mailbox, own in found.values()]

    def _taken(self, session: Session, envelope: Envelope) -> _Taken:
        at, peer = self._parts.clock.now(), cast(tuple[str, int], session.peer)[0]
        protocol = ("ESMTP" if session.extended_smtp else "SMTP") + ("S" if session.ssl else "")
        field = received.field(session.host_name, peer, self._name, protocol, uuid4().hex, at)
        address = ip_address(peer.partition("%")[0])
        # A socket for both protocols shows a client of the older one in the clothes of the newer.
        address = getattr(address, "ipv4_mapped", None) or address
        strange = not any(address in network for network in self._relays)
        return _Taken(envelope.original_content or b"", field, strange, at)

    async def _take(self, taken: _Taken, mailbox: Mailbox, to: tuple[str, ...], sender: str | None) -> None:
        workspace, account = mailbox
        raw = Raw(
            body=taken.content,
            received=taken.received,
            from_stranger=taken.from_stranger,
            workspace=workspace_id(workspace.slug),
            account=account.id,
            received_at=taken.at,
            content_type="message/rfc822",
            store=account.store,
            region=account.region,
            server_at=taken.at,
            envelope_from=_printable(sender or ""),
            envelope_to=tuple(_printable(address) for address in to),
            trace=trace.new(),
            options=options(workspace, account),
        )
        await self._parts.take(channels()[_CHANNEL], raw)


class _Connection(SMTP):
    """One client. Real mail has lines of many kilobytes, which the original refuses."""

    line_length_limit = _LONGEST_LINE

    def __init__(self, door: Door, name: str, tls: ssl.SSLContext | None, others: set[_Connection]) -> None:
        super().__init__(
            door,
            data_size_limit=_MOST_BYTES,
            enable_SMTPUTF8=True,
            hostname=name,
            ident="frontdesk",
            tls_context=tls,
            timeout=_COMMAND_SECONDS,
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=asyncio.get_running_loop(),
        )
        self.idle = asyncio.Event()
        self.idle.set()
        self._others = others

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if len(self._others) >= _MOST_CONNECTIONS and self not in self._others:
            assert isinstance(transport, asyncio.Transport)
            transport.write(b"421 4.3.2 Too many connections, try again\r\n")
            transport.close()
            return
        self._others.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._others.discard(self)
        self.idle.set()
        super().connection_lost(error)

    def abort(self) -> None:
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        self.idle.clear()
        try:
            await super().smtp_DATA(arg)
        finally:
            self.idle.set()


def _printable(address: str) -> str:
    """Bytes that are no UTF-8 come as lone surrogates, which no JSON can hold."""
    return address.encode("utf-8", "replace").decode()


def _networks(given: str) -> list[Network]:
    try:
        return [ip_network(one.strip(), strict=False) for one in given.split(",") if one.strip()]
    except ValueError as error:
        raise SettingsError(
            f"FRONTDESK_SMTP_RELAYS: {error}; give addresses or networks, comma-separated"
        ) from None


def _certificate(settings: Settings) -> ssl.SSLContext | None:
    """For STARTTLS; None without a certificate."""
    if settings.smtp_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings.smtp_certificate, settings.smtp_key)
    return context
