"""The head of an answer leaves with what follows it, and never waits for something that does not come."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from runtime import http
from runtime.http import HttpServer

Send = Callable[[dict[str, Any]], Awaitable[None]]
HEAD = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}


class _Written(asyncio.Transport):
    """Remembers what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.packets: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if data:
            self.packets.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def test_head_and_body_are_one_packet() -> None:
    transport = _Written()
    answer = http._Answer(asyncio.get_running_loop(), transport)
    answer.write(b"head ")
    answer.write(b"body")
    assert transport.packets == [b"head body"]
    answer.write(b" and more")
    await asyncio.sleep(0)
    assert transport.packets == [b"head body", b" and more"]


async def test_a_head_leaves_by_itself_when_nothing_follows() -> None:
    transport = _Written()
    answer = http._Answer(asyncio.get_running_loop(), transport)
    answer.write(b"head")
    await asyncio.sleep(0)
    assert transport.packets == [b"head"]
    answer.write(b"body")
    assert transport.packets == [b"head", b"body"]


async def test_a_head_is_sent_before_the_end() -> None:
    transport = _Written()
    answer = http._Answer(asyncio.get_running_loop(), transport)
    answer.write(b"head")
    answer.close()
    assert (transport.packets, answer.is_closing()) == ([b"head"], True)


async def test_answers_arrive_whole_one_after_the_other() -> None:
    """Also those that were asked for at once, and those whose body comes late."""

    async def app(scope: dict[str, Any], receive: object, send: Send) -> None:
        await send(HEAD)
        if scope["path"] == "/late":
            await asyncio.sleep(0.01)
        await send({"type": "http.response.body", "body": b"ok"})

    server = HttpServer(app, "127.0.0.1", 0)
    running = asyncio.create_task(server.run())
    reader, writer = await asyncio.open_connection("127.0.0.1", await server.port())
    writer.write(b"".join(b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in (b"/", b"/late", b"/")))
    for _ in range(3):
        head = await reader.readuntil(b"\r\n\r\n")
        assert (head.split(b"\r\n")[0], await reader.readexactly(2)) == (b"HTTP/1.1 200 OK", b"ok")
    writer.close()
    await server.stop()
    await running
