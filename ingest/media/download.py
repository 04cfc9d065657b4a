"""One file from its provider: asked for, followed to where it is, limited in size and time. Every address goes through
`runtime.reach`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from urllib.parse import urljoin

import httpcore

from contracts.errors import Poison, Transient
from contracts.ids import sha256_hex
from ingest.channel import Access, Ask, Asks, Channel, Fetched, Locates
from ingest.media.content import type_of
from runtime.reach import Network, Reach, Unfetchable

_SECONDS = 60.0
_HOPS = 3
_ANSWER_BYTES = 64 << 10
_CONNECTIONS = 8
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({403, 404, 410})
_SEEN = ("image/", "audio/", "video/")
_TIMEOUTS = {"connect": 5.0, "read": 20.0, "write": 10.0, "pool": _SECONDS}
# Compressed bytes would be no measure of what they become.
_HEADERS = {"accept": "*/*", "accept-encoding": "identity", "user-agent": "frontdesk"}


class Downloader:
    """Fetches side by side; every connection is a new one, and looked at. `network` is the test suite's."""

    def __init__(self, reach: Reach, max_bytes: int, network: Network | None = None) -> None:
        self._reach = reach
        self._max = max_bytes
        self._pool = httpcore.AsyncConnectionPool(
            max_connections=_CONNECTIONS,
            max_keepalive_connections=0,
            network_backend=network or Network(reach),
        )

    async def fetch(self, channel: Channel, ref: str, access: Access, declared: str = "") -> bytes:
        """The whole file. Raises `Unfetchable` when it will never come, and `Transient` when it may come later."""
        if not isinstance(channel, Fetched):
            raise Unfetchable("refused", "channel")
        try:
            async with asyncio.timeout(_SECONDS):
                content = await self._fetch(channel, ref, access)
        except TimeoutError:
            raise Transient("timeout") from None
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise Transient(type(error).__name__) from None
        if declared.startswith(_SEEN) and type_of(content) == "text/html":
            # A page in the place of a picture says that the picture is gone, to a person.
            raise Unfetchable("expired", "page")
        return content

    async def close(self) -> None:
        await self._pool.aclose()

    async def _fetch(self, channel: Fetched, ref: str, access: Access) -> bytes:
        ask, hosts = Ask(ref), channel.media_hosts
        if isinstance(channel, Asks):
            ask = channel.ask(ref, access)
        if ask.leads and isinstance(channel, Locates):
            answer = await self._get(ask, hosts, _ANSWER_BYTES)
            try:
                ask = channel.located(answer, access)
            except Poison as error:
                raise Transient(error.reason) from None
        content = await self._get(ask, hosts, self._max)
        if ask.sha256 and sha256_hex(content) != ask.sha256:
            raise Transient("sha256")
        return content

    async def _get(self, ask: Ask, hosts: Sequence[str], most: int) -> bytes:
        """Follows redirects, each looked at like the first address. What opens one host is not shown to another."""
        address, headers = ask.url, ask.headers
        for _ in range(_HOPS + 1):
            url = self._reach.checked(address, hosts)
            async with self._pool.stream("GET", url, headers=_sent(headers), extensions=_EXTENSIONS) as reply:
                if reply.status not in _REDIRECTS:
                    return await _body(reply, most)
                following = urljoin(address, _header(reply, b"location"))
            if self._reach.checked(following, hosts).origin != url.origin:
                headers = {}
            address = following
        raise Unfetchable("refused", "redirects")


_EXTENSIONS = {"timeout": _TIMEOUTS}


def _sent(headers: Mapping[str, str]) -> list[tuple[str, str]]:
    return list({**_HEADERS, **headers}.items())


async def _body(reply: httpcore.Response, most: int) -> bytes:
    if reply.status in _GONE:
        raise Unfetchable("expired", f"http_{reply.status}")
    if reply.status != 200:
        pause = _header(reply, b"retry-after")
        raise Transient(f"http_{reply.status}", retry_after=float(pause) if pause.isdigit() else None)
    announced = _header(reply, b"content-length")
    if announced.isdigit() and int(announced) > most:
        raise Unfetchable("refused", "too_large")
    content = bytearray()
    async for part in reply.aiter_stream():
        content += part
        if len(content) > most:
            raise Unfetchable("refused", "too_large")
    return bytes(content)


def _header(reply: httpcore.Response, name: bytes) -> str:
    """The first value; empty if there is none. Names come in any case."""
    found = (value for given, value in reply.headers if given.lower() == name)
    return next(found, b"").decode("latin-1")
