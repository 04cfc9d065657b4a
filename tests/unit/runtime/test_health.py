"""What a process says of itself over HTTP, whatever its checks do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from runtime import health
from runtime.health import Health, Pulse


@pytest.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Health, int]]:
    monkeypatch.setattr(health, "_TIMEOUT", 0.2)
    process = Health()
    process.started = True
    yield process, await process.serve("127.0.0.1", 0)
    await process.close()


async def get(port: int, path: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    return answer


async def test_ready_when_every_check_returns(served: tuple[Health, int]) -> None:
    process, port = served

    async def fine() -> None:
        pass

    async def away() -> None:
        raise ConnectionError("not to be shown")

    process.ready_checks["kafka"] = fine
    assert (await get(port, "/readyz")).startswith("HTTP/1.1 200")
    process.ready_checks["postgres"] = away
    answer = await get(port, "/readyz")
    assert answer.startswith("HTTP/1.1 503")
    assert "[+]kafka ok" in answer
    assert "[-]postgres failed: ConnectionError" in answer
    assert "not to be shown" not in answer


async def test_a_check_that_hangs_and_will_not_be_cancelled_has_failed(served: tuple[Health, int]) -> None:
    """As a driver does that tells a paused server of the cancellation."""
    process, port = served
    over = asyncio.Event()

    async def stubborn() -> None:
        while not over.is_set():
            try:
                await over.wait()
            except asyncio.CancelledError:
                continue

    process.ready_checks["postgres"] = stubborn
    answer = await get(port, "/readyz")
    assert answer.startswith("HTTP/1.1 503")
    assert "[-]postgres failed: TimeoutError" in answer
    over.set()


async def test_live_without_checks_and_no_other_paths(served: tuple[Health, int]) -> None:
    _, port = served
    assert (await get(port, "/livez")).startswith("HTTP/1.1 200")
    assert "process_max_fds" in await get(port, "/metrics")
    assert (await get(port, "/")).startswith("HTTP/1.1 404")


async def test_a_loop_that_stands_still_is_not_alive(served: tuple[Health, int]) -> None:
    process, port = served
    now = 0.0
    pulse = Pulse(60, lambda: now)
    process.live_checks["relay moves"] = pulse.check
    assert "200 OK" in await get(port, "/livez")
    now = 70.0
    assert "[-]relay moves failed: TimeoutError" in await get(port, "/livez")
    pulse.beat()
    assert "200 OK" in await get(port, "/livez")
