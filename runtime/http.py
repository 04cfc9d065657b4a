"""An HTTP server inside a process that has its own signal handling."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_GRACE_SECONDS = 10
_BACKLOG = 1024
_FRAME_BYTES = 64 * 1024
_HEAD_SECONDS = 10.0
_HEAD_BYTES = 64 * 1024
# Longer than the minute that balancers keep a connection: one that is closed from this side is not just being used again.
_IDLE_SECONDS = 75


class _Answer:
    """A connection as one answer is written to it: the head waits for what follows it. To send it alone would cost as much as
    to send the whole, and wake the caller for something of no use yet."""

    __slots__ = ("_alone", "_head", "_loop", "_transport")

    def __init__(self, loop: asyncio.AbstractEventLoop, transport: asyncio.Transport) -> None:
        self._loop = loop
        self._transport = transport
        self._head = b""
        self._alone: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        if self._alone is None:
            self._head = data
            # When nothing follows at once, as where a body is still being made.
            self._alone = self._loop.call_soon(self._send)
        else:
            self._send(data)

    def close(self) -> None:
        self._send()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def _send(self, more: bytes = b"") -> None:
        if self._alone is not None:
            self._alone.cancel()
        head, self._head = self._head, b""
        self._transport.write(head + more)


class _Protocol(HttpToolsProtocol):
    """Does not wait for ever for the head of a request, nor take one of any length: such a connection is closed."""

    _late: asyncio.TimerHandle | None = None
    _unread = 0
    _deaf = False
    """What comes is the rest of a body that was answered before its end. It is thrown away, since a connection that is cut
    while its caller still sends takes the answer with it."""

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        before = self.cycle
        super().data_received(data)
        upgraded = self.transport.get_protocol() is not self
        # Within a request the application has its own limits.
        if upgraded or self.cycle is not before or not (self.cycle is None or self.cycle.response_complete):
            self._in_time()
            return
        if self.cycle is not None and self.cycle.more_body:
            self._deaf = True
            self.transport.write_eof()
        self._unread += len(data)
        if not self._deaf and self._unread > _HEAD_BYTES:
            self.transport.abort()
        elif self._late is None:
            self._late = self.loop.call_later(_HEAD_SECONDS, self.transport.abort)

    def on_headers_complete(self) -> None:
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self.cycle.transport = cast(asyncio.Transport, _Answer(self.loop, self.transport))

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late = self.loop.call_later(_HEAD_SECONDS, transport.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def _in_time(self) -> None:
        self._unread = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None


class _Server(uvicorn.Server):
    """Leaves signals to the process that hosts it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class HttpServer:
    """One ASGI application on one address. Port 0 takes a free one. `trusted`: addresses and networks of proxies, whose
    X-Forwarded-For is believed."""

    def __init__(self, app: Any, listen: str, port: int, trusted: str = "127.0.0.1,::1") -> None:
        self._address = (listen, port)
        self._bound: asyncio.Future[int] | None = None
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            forwarded_allow_ips=trusted,
            backlog=_BACKLOG,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
            http=_Protocol,
            ws="websockets-sansio",
            ws_max_size=_FRAME_BYTES,
            ws_per_message_deflate=False,
            # Who serves a socket asks for signs of life itself: a page does not see the protocol's own.
            ws_ping_interval=None,
        )
        self._server = _Server(config)

    async def run(self) -> None:
        """Serves until `stop`. Raises `OSError` when the address is taken."""
        family = socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
        # Bound here, since uvicorn would end the process itself when it cannot.
        with socket.create_server(self._address, family=family, backlog=_BACKLOG) as bound:
            # Inherited by what it accepts: asyncio itself sets it only on sockets whose protocol number is spelt out, and
            # without it every answer of two packets waits 40 ms.
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._port().set_result(bound.getsockname()[1])
            await self._server.serve(sockets=[bound])

    async def stop(self) -> None:
        """Answers what has begun, then `run` returns."""
        self._server.should_exit = True

    async def port(self) -> int:
        """The port, as soon as it is bound: from then on callers can connect."""
        return await asyncio.shield(self._port())

    def _port(self) -> asyncio.Future[int]:
        if self._bound is None:
            self._bound = asyncio.get_running_loop().create_future()
        return self._bound
