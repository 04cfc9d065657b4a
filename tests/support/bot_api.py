"""A small Bot API server: what getUpdates promises about offsets, conflicts and waiting, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

TOKEN = "123456789:test-token-of-no-real-bot-0123456789"
_AT_ONCE = 100


class BotApi:
    """`updates` wait until an `offset` above them confirms them."""

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []
        self.confirmed: list[int] = []
        self.webhook = ""
        self.refusals: list[dict[str, Any]] = []
        """Answers given once each, before anything else."""
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.url = ""
        self._arrived = asyncio.Event()

    def arrive(self, *updates: dict[str, Any]) -> None:
        self.updates.extend(updates)
        self._arrived.set()

    async def answer(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.calls.append((method, arguments))
        if self.refusals:
            return self.refusals.pop(0)
        if method == "deleteWebhook":
            self.webhook = ""
            return {"ok": True, "result": True}
        if self.webhook:
            text = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
            return {"ok": False, "error_code": 409, "description": text}
        offset = int(arguments.get("offset", 0))
        self.confirmed += [u["update_id"] for u in self.updates if u["update_id"] < offset]
        self.updates = [u for u in self.updates if u["update_id"] >= offset]
        if not self.updates:
            self._arrived.clear()
            try:
                async with asyncio.timeout(float(arguments.get("timeout", 0))):
                    await self._arrived.wait()
            except TimeoutError:
                return {"ok": True, "result": []}
        return {"ok": True, "result": self.updates[:_AT_ONCE]}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """HTTP/1.1 with the arguments in the URL."""
        try:
            while line := await reader.readline():
                path = line.split()[1].decode()
                length = 0
                while (header := await reader.readline()).strip():
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                await reader.readexactly(length)
                asked = urlsplit(path)
                token, _, method = asked.path.removeprefix("/bot").partition("/")
                arguments = dict(parse_qsl(asked.query))
                answer = (
                    await self.answer(method, arguments)
                    if token == TOKEN
                    else {"ok": False, "error_code": 404}
                )
                body = msgspec.json.encode(answer)
                status = answer.get("error_code", 200)
                head = f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def running() -> AsyncIterator[BotApi]:
    """A server on a port of its own."""
    api = BotApi()
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    api.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield api
    finally:
        server.close()
