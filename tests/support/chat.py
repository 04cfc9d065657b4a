"""A chat widget without a page: frames over a real socket."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import websockets
from websockets.asyncio.client import ClientConnection
from websockets.typing import Origin

Frame = dict[str, Any]


class Widget:
    """One connection. What came is kept in `heard`; what was sent, by its `cid`, in `unacked` until it is acknowledged."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[Frame] = []
        self.unacked: dict[str, Frame] = {}
        self._numbers = itertools.count(1)

    async def send(self, frame: Frame | str | bytes) -> None:
        await self.socket.send(json.dumps(frame) if isinstance(frame, dict) else frame)

    async def say(self, text: str, **more: Any) -> str:
        """Sends a message, without waiting for its acknowledgement."""
        frame = {"t": "msg", "cid": f"c-{next(self._numbers)}", "text": text, **more}
        self.unacked[frame["cid"]] = frame
        await self.send(frame)
        return str(frame["cid"])

    async def until(self, kind: str, seconds: float = 60, **members: Any) -> Frame:
        """The first frame of this kind with these members, also one that has come before. Fails when none comes."""
        seen = 0
        async with asyncio.timeout(seconds):
            while True:
                for frame in self.heard[seen:]:
                    if frame["t"] == kind and all(frame.get(k) == v for k, v in members.items()):
                        return frame
                seen = len(self.heard)
                await self._hear()

    async def closed(self, seconds: float = 30) -> int | None:
        """The code with which the other side closes."""
        async with asyncio.timeout(seconds):
            try:
                while True:
                    await self._hear()
            except websockets.ConnectionClosed:
                return self.socket.close_code

    @property
    def lines(self) -> list[tuple[int, str, str]]:
        """Number, author and text of every line that was pushed, in the order it was."""
        return [(f["seq"], f["from"], f["text"]) for f in self.heard if f["t"] == "msg"]

    async def _hear(self) -> None:
        frame = json.loads(await self.socket.recv())
        if frame["t"] == "ack":
            self.unacked.pop(frame["cid"], None)
        self.heard.append(frame)


@asynccontextmanager
async def connected(gateway: str, widget: str = "chat", origin: str | None = None) -> AsyncIterator[Widget]:
    """A socket on which nothing was said. `gateway`: its address, `http://…`; `origin`: of the page, else its own."""
    url = f"ws{gateway.removeprefix('http')}/chat/ws?widget={widget}"
    async with websockets.connect(
        url, origin=Origin(origin or gateway), proxy=None, compression=None
    ) as socket:
        yield Widget(socket)


@asynccontextmanager
async def greeted(
    gateway: str, token: str | None = None, after: int = 0, **hello: Any
) -> AsyncIterator[tuple[Widget, Frame]]:
    """A socket after hello, or after resume when there is a token; and the welcome."""
    async with connected(gateway) as widget:
        first = {"t": "resume", "token": token, "after_seq": after} if token else {"t": "hello", "v": 1}
        await widget.send(first | hello)
        yield widget, await widget.until("welcome")
