"""A provider's file server: says what it is told to, and counts who connects."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import NamedTuple


class Answer(NamedTuple):
    """`length`: what is announced, where that is not the truth."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None


@dataclass(slots=True)
class Provider:
    """Paths without their query -> answers in turn, the last one for ever; 404 for all others."""

    port: int
    connections: int = 0
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    """Targets with their headers, in order."""
    bodies: list[bytes] = field(default_factory=list)
    """What was sent with each."""
    answers: dict[str, list[Answer]] = field(default_factory=dict)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def gives(self, path: str, *answers: Answer) -> str:
        """Sets the answers of a path, and returns its address."""
        self.answers[path] = list(answers)
        return self.origin + path

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            target = head[0].split(" ")[1]
            headers = dict(line.split(": ", 1) for line in head[1:] if line)
            given = {name.lower(): value for name, value in headers.items()}
            self.bodies.append(await reader.readexactly(int(given.get("content-length", "0"))))
            self.asked.append((target, given))
            writer.write(_written(self._answer(target.partition("?")[0])))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, path: str) -> Answer:
        waiting = self.answers.get(path, [Answer(status=404)])
        return waiting.pop(0) if len(waiting) > 1 else waiting[0]


def _written(answer: Answer) -> bytes:
    length = len(answer.body) if answer.length is None else answer.length
    headers = (("content-length", str(length)), ("connection", "close"), *answer.headers)
    lines = [f"HTTP/1.1 {answer.status} Said", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode() + answer.body


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """On every address of this machine, so that whatever leads here is counted."""
    bound = socket.create_server(("", 0))
    found = Provider(bound.getsockname()[1])
    servers = [await asyncio.start_server(found.serve, sock=bound)]
    if socket.has_ipv6:
        # With one port for both versions, as an address that is the same in two spellings expects.
        six = socket.create_server(("::", found.port), family=socket.AF_INET6)
        servers.append(await asyncio.start_server(found.serve, sock=six))
    try:
        yield found
    finally:
        for server in servers:
            server.close()
            await server.wait_closed()
