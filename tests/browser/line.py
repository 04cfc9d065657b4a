"""A line between browser and gateway that can be cut in the middle of a call, of a frame, or altogether."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

Cut = Literal["request", "answer", "frame"]

_TEXT_FRAME = 0x81  # RFC 6455, section 5.2: a whole text message
_LONG = 300


class Line:
    """Carries connections. `cuts`: the next ones, in order: within the request of a submission, which so never arrives whole;
    after the gateway has answered it, which the browser then never hears; within a long frame of a socket. `deaf`: what the
    gateway says is held back. `down`: nobody gets through."""

    def __init__(self, port: int) -> None:
        self._gateway = port
        self._carried: set[asyncio.StreamWriter] = set()
        self.cuts: list[Cut] = []
        self.deaf = False
        self.down = False
        self.url = ""

    def cut(self) -> None:
        """All connections that there are."""
        for writer in self._carried:
            writer.transport.abort()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if self.down:
                raise ConnectionRefusedError
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._gateway)
        except OSError:
            writer.transport.abort()
            return
        self._carried.add(writer)
        try:
            down = asyncio.create_task(self._answer(up_reader, writer))
            while data := await reader.read(1 << 16):
                cut = self._due(data)
                if cut == "answer":
                    down.cancel()
                    up_writer.write(data)
                    while b"HTTP/1.1" not in await _more(reader, up_reader, up_writer):
                        pass
                if cut in ("request", "frame"):
                    up_writer.write(data[: len(data) // 2])
                    await up_writer.drain()
                if cut:
                    return
                up_writer.write(data)
                await up_writer.drain()
        except OSError:
            pass  # a side that went away
        finally:
            self._carried.discard(writer)
            up_writer.transport.abort()
            writer.transport.abort()

    def _due(self, data: bytes) -> Cut | None:
        """The next cut, if this is what it waits for."""
        if not self.cuts:
            return None
        frame = data[0] == _TEXT_FRAME and len(data) > _LONG
        fits = frame if self.cuts[0] == "frame" else data.startswith(b"POST ")
        return self.cuts.pop(0) if fits else None

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                if self.deaf:
                    continue
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()


async def _more(
    browser: asyncio.StreamReader, gateway: asyncio.StreamReader, onward: asyncio.StreamWriter
) -> bytes:
    """What the gateway says next, while the rest of the request goes on to it."""
    answer = asyncio.create_task(gateway.read(1 << 16))
    while not answer.done():
        rest = asyncio.create_task(browser.read(1 << 16))
        await asyncio.wait({answer, rest}, return_when=asyncio.FIRST_COMPLETED)
        if rest.done():
            onward.write(rest.result())
        else:
            rest.cancel()
    return answer.result()


@asynccontextmanager
async def line_to(port: int) -> AsyncIterator[Line]:
    """An open line to the gateway at this port."""
    line = Line(port)
    server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    line.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield line
    finally:
        server.close()
