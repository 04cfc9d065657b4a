"""One IMAP connection (RFC 3501, RFC 2177), every call bounded in time. The only importer of aioimaplib."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import ssl
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from aioimaplib.aioimaplib import AUTH, IMAP4, AioImapException, Command, IMAP4ClientProtocol, Response

from contracts.errors import Transient
from ingest.polling import BadCredentials
from runtime.settings import Mailbox

T = TypeVar("T")

_CALL_SECONDS = 30.0
_FETCH_SECONDS = 300.0
_CLOSE_SECONDS = 2.0

_FETCH = re.compile(rb"^\d+ FETCH \(")
_UID = re.compile(rb"\bUID (\d+)")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
_DATE = re.compile(rb'\bINTERNALDATE "([^"]+)"')
_BUSY = re.compile(rb"\[(?:UNAVAILABLE|INUSE|LIMIT|SERVERBUG)\]", re.IGNORECASE)
"""Refusals that have nothing to do with who asks (RFC 5530)."""
_VALIDITY = re.compile(rb"\[UIDVALIDITY (\d+)\]")


class Mail(NamedTuple):
    """A mail as the server has it; `arrived` is its INTERNALDATE."""

    uid: int
    body: bytes
    arrived: datetime | None


@asynccontextmanager
async def connect(mailbox: Mailbox) -> AsyncIterator[ImapSession]:
    """A logged-in session. Raises `Transient` or `OSError` when that cannot be had, and when it is lost."""
    lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def on_loss(_: Exception | None) -> None:
        if not lost.done():
            lost.set_result(None)

    # A new context each time: certificates may have been renewed since.
    context = ssl.create_default_context(cafile=mailbox.ca_file) if mailbox.tls != "none" else None
    client = IMAP4(
        mailbox.host,
        mailbox.port,
        timeout=_CALL_SECONDS,
        conn_lost_cb=on_loss,
        ssl_context=context if mailbox.tls == "tls" else None,
    )
    session = ImapSession(client, lost)
    try:
        await session.open(mailbox, context if mailbox.tls == "starttls" else None)
        yield session
    finally:
        await session.close()


class ImapSession:
    """Of one folder at a time."""

    def __init__(self, client: IMAP4, lost: asyncio.Future[None]) -> None:
        self._client = client
        self._lost = lost

    async def open(self, mailbox: Mailbox, upgrade: ssl.SSLContext | None) -> None:
        await self._call(self._client.wait_hello_from_server())
        if upgrade:
            await self._start_tls(mailbox.host, upgrade)
        password = mailbox.password
        if mailbox.password_file:
            password = Path(mailbox.password_file).read_text().strip()
        if mailbox.auth == "xoauth2":
            answer = await self._call(_show_token(self._client.protocol, mailbox.user, password))
        else:
            answer = await self._call(self._client.login(mailbox.user, password))
        if answer.result == "NO" and not _BUSY.search(b" ".join(map(bytes, answer.lines))):
            raise BadCredentials("imap: login refused")
        self._checked(answer, "login")

    async def close(self) -> None:
        # While IDLE is under way the server would take no other command.
        if not self._client.has_pending_idle():
            with contextlib.suppress(Transient, OSError):
                await self._call(self._client.logout(), _CLOSE_SECONDS)
        self._client._client_task.cancel()
        if self._client.protocol.transport is not None:
            self._client.protocol.transport.close()

    async def select(self, folder: str) -> int:
        """The UIDVALIDITY of the folder, which is selected from now on."""
        lines = self._checked(await self._call(self._client.select(_quoted(folder))), "select")
        for line in lines:
            if found := _VALIDITY.search(line):
                return int(found[1])
        raise Transient("imap: no UIDVALIDITY")

    async def newer_than(self, uid: int) -> list[int]:
        """The UIDs above, sorted."""
        # "n:*" names the last mail even when its UID is below n.
        return [found for found in await self._search(f"UID {uid + 1}:*") if found > uid]

    async def present(self, uids: Sequence[int]) -> set[int]:
        """Which of these have not been expunged."""
        return set(await self._search(f"UID {_set(uids)}"))

    async def sizes(self, uids: Sequence[int]) -> dict[int, int]:
        """Bytes of each mail; expunged ones are left out."""
        lines = self._checked(
            await self._call(self._client.uid("fetch", _set(uids), "(UID RFC822.SIZE)")), "fetch"
        )
        found = ((_UID.search(line), _SIZE.search(line)) for line in lines)
        return {int(uid[1]): int(size[1]) for uid, size in found if uid and size}

    async def fetch(self, uids: Sequence[int], most: int | None = None) -> list[Mail]:
        """The mails (their first `most` bytes), without marking them as seen; expunged ones are left out."""
        body = "BODY.PEEK[]" + (f"<0.{most}>" if most else "")
        response = await self._call(
            self._client.uid("fetch", _set(uids), f"(UID INTERNALDATE {body})"), _FETCH_SECONDS
        )
        return _mails(self._checked(response, "fetch"))

    async def wait(self, seconds: float) -> None:
        """Until the server says something, or the time is over."""
        if not self._client.has_capability("IDLE"):
            await asyncio.wait({self._lost}, timeout=seconds)
            return
        idle = await self._call(self._client.idle_start(seconds + _CALL_SECONDS))
        pushed: asyncio.Future[Any] = asyncio.ensure_future(self._client.protocol.idle_queue.get())
        try:
            await asyncio.wait({pushed, self._lost}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pushed.cancel()
        if not self._lost.done():
            self._client.idle_done()
        await self._call(_result(idle))

    async def _search(self, criterion: str) -> list[int]:
        lines = self._checked(await self._call(self._client.uid_search(criterion, charset=None)), "search")
        return sorted({int(word) for line in lines[:-1] for word in line.split() if word.isdigit()})

    async def _start_tls(self, host: str, context: ssl.SSLContext) -> None:
        protocol = self._client.protocol
        command = Command("STARTTLS", protocol.new_tag())
        self._checked(await self._call(protocol.execute(command)), "starttls")
        if protocol.incomplete_line:
            raise Transient("imap: data before TLS")  # injected by somebody in between
        loop = asyncio.get_running_loop()
        upgrade = loop.start_tls(protocol.transport, protocol, context, server_hostname=host)
        protocol.transport = await self._call(upgrade)
        await self._call(protocol.capability())

    async def _call(self, work: Coroutine[Any, Any, T], seconds: float = _CALL_SECONDS) -> T:
        """Its result. The library itself would wait for ever when the connection is lost."""
        task: asyncio.Task[T] = asyncio.ensure_future(work)
        either: set[asyncio.Future[Any]] = {task, self._lost}
        try:
            await asyncio.wait(either, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                return task.result()
        except AioImapException as error:
            raise Transient(f"imap: {type(error).__name__}") from error
        finally:
            task.cancel()
        raise Transient("imap: connection lost" if self._lost.done() else "imap: no answer in time")

    @staticmethod
    def _checked(response: Response, command: str) -> list[bytes]:
        if response.result != "OK":
            raise Transient(f"imap: {command} refused with {response.result}")
        return list(response.lines)


class _ShowToken(Command):  # type: ignore[misc]  # the library is not typed
    """AUTHENTICATE XOAUTH2. A server that refuses a token tells why in a challenge, and says NO after an empty answer to it."""

    def __init__(self, protocol: IMAP4ClientProtocol, shown: str) -> None:
        super().__init__("AUTHENTICATE", protocol.new_tag(), "XOAUTH2", shown)
        self._transport = protocol.transport

    def flush(self) -> None:
        """What the library calls when a challenge has come."""
        self._transport.write(b"\r\n")


async def _show_token(protocol: IMAP4ClientProtocol, user: str, token: str) -> Response:
    shown = base64.b64encode(f"user={user}\1auth=Bearer {token}\1\1".encode()).decode()
    answer = await protocol.execute(_ShowToken(protocol, shown), scrub=shown)
    if answer.result == "OK":
        protocol.state = AUTH
    return answer


async def _result(task: asyncio.Future[Any]) -> Any:
    return await task


def _mails(lines: Sequence[bytes | bytearray]) -> list[Mail]:
    """A server may give the attributes in any order, before and after the literal that holds the body."""
    found: list[tuple[bytearray, bytes | None]] = []
    for line in lines:
        if isinstance(line, bytearray):
            if found:
                found[-1] = (found[-1][0], bytes(line))
        elif _FETCH.match(line):
            found.append((bytearray(line), None))
        elif found:
            found[-1][0].extend(b" " + line)
    mails = []
    for attributes, body in found:
        uid, empty = _UID.search(attributes), re.search(rb'BODY\[\](<0>)? ""', attributes)
        if uid and (body is not None or empty):
            mails.append(Mail(int(uid[1]), body or b"", _arrived(attributes)))
    return mails


def _arrived(attributes: bytes | bytearray) -> datetime | None:
    found = _DATE.search(attributes)
    if not found:
        return None
    with contextlib.suppress(ValueError):
        return datetime.strptime(
            found[1].decode("ascii", "replace").strip(), "%d-%b-%Y %H:%M:%S %z"
        ).astimezone(UTC)
    return None


def _set(uids: Sequence[int]) -> str:
    return ",".join(map(str, uids))


def _quoted(folder: str) -> str:
    """A mailbox name in modified UTF-7 (RFC 3501, 5.1.3), quoted."""

    def shifted(match: re.Match[str]) -> str:
        if match[0] == "&":
            return "&-"
        packed = base64.b64encode(match[0].encode("utf-16-be")).decode().rstrip("=").replace("/", ",")
        return f"&{packed}-"

    name = re.sub(r"&|[^\x20-\x7e]+", shifted, folder)
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
