"""Health and metrics of one process on one port: /metrics, /livez, /readyz, /startupz.

Live means that work moves, not that the process exists; it asks no dependency. Ready means that it can do its work now.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

Check = Callable[[], Coroutine[Any, Any, None]]
"""Returns, or raises with the reason."""

_TIMEOUT = 3.0


class Pulse:
    """The sign of life of a loop that beats each time round. Its check fails when the last beat is older than `seconds`."""

    def __init__(self, seconds: float, now: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._now = now
        self._last = now()

    def beat(self) -> None:
        """The loop has come round; also while it waits for a dependency that is away, since that is no fault of its own."""
        self._last = self._now()

    async def check(self) -> None:
        """Raises `TimeoutError` when the loop stands still."""
        if self._now() - self._last > self._seconds:
            raise TimeoutError


class Health:
    """What a process reports about itself. Services add their checks before it starts."""

    def __init__(self) -> None:
        self.ready_checks: dict[str, Check] = {}
        self.live_checks: dict[str, Check] = {}
        self.started = False
        self._server: asyncio.Server | None = None

    async def serve(self, host: str, port: int) -> int:
        """Listens, and returns the port (the one asked for, or a free one for 0)."""
        self._server = await asyncio.start_server(self._answer, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server:
            self._server.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_TIMEOUT * 2):
                request = await reader.readline()
                path = request.split(b" ")[1:2]
                status, kind, body = await self._respond(path[0].decode("latin-1") if path else "")
                head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        except (TimeoutError, ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    async def _respond(self, path: str) -> tuple[str, str, bytes]:
        if path == "/metrics":
            return "200 OK", CONTENT_TYPE_LATEST, generate_latest()
        known: dict[str, dict[str, Check]] = {
            "/livez": self.live_checks,
            "/readyz": {"startup": self._startup, **self.ready_checks},
            "/startupz": {"startup": self._startup},
        }
        checks = known.get(path)
        if checks is None:
            return "404 Not Found", "text/plain", b"not found\n"
        lines = await _run(checks) if checks else []
        healthy = all(line.startswith("[+]") for line in lines)
        status = "200 OK" if healthy else "503 Service Unavailable"
        return status, "text/plain", "\n".join([*lines, ""]).encode()

    async def _startup(self) -> None:
        if not self.started:
            raise RuntimeError("starting")


async def _run(checks: Mapping[str, Check]) -> list[str]:
    """A line each. One that hangs has failed; it is not waited for even when it ignores that it is cancelled."""
    running = {name: asyncio.ensure_future(check()) for name, check in checks.items()}
    _, hanging = await asyncio.wait(running.values(), timeout=_TIMEOUT)
    for task in hanging:
        task.cancel()
        task.add_done_callback(_forgotten)
    return [
        f"[-]{name} failed: {failed}" if (failed := _failure(task)) else f"[+]{name} ok"
        for name, task in running.items()
    ]


def _failure(task: asyncio.Future[None]) -> str | None:
    if not task.done() or task.cancelled():
        return "TimeoutError"
    error = task.exception()
    return type(error).__name__ if error else None


def _forgotten(task: asyncio.Future[None]) -> None:
    """Takes note of the outcome, for asyncio complains of one that nobody has asked for."""
    if not task.cancelled():
        task.exception()
