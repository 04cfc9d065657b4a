"""A line between browser and gateway that can be cut in the middle of a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

Cut = Literal["request", "answer"]


class Line:
    """Carries connections. The next cuts, in order: within the request of a submission, which so never arrives whole, or
    after the gateway has answered, which the browser then never hears."""

    def __init__(self, port: int) -> None:
        self._gateway = port
        self.cuts: list[Cut] = []
        self.url = ""

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._gateway)
        except OSError:
            writer.transport.abort()
            return
        try:
            down = asyncio.create_task(_copy(up_reader, writer))
            while data := await reader.read(1 << 16):
                cut = self.cuts.pop(0) if self.cuts and data.startswith(b"POST ") else None
                if cut == "answer":
                    down.cancel()
                    up_writer.write(data)
                    while b"HTTP/1.1" not in await _more(reader, up_reader, up_writer):
                        pass
                if cut == "request":
                    up_writer.write(data[: len(data) // 2])
                    await up_writer.drain()
                if cut:
                    return
                up_writer.write(data)
                await up_writer.drain()
        except OSError:
            pass  # a side that went away
        finally:
            up_writer.transport.abort()
            writer.transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
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
