"""Callers who send nothing, or a byte now and then, hold nobody up, and are sent away."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import msgspec
import pytest

from contracts.workspace import Account
from runtime import http
from tests.support.chat import greeted
from tests.support.door import running
from tests.support.shop import SHOP, configure, settings
from tests.support.system import Broker, Dsns

SLOW = 500


async def test_five_hundred_slow_callers_hold_nobody_up(
    broker: Broker, database: Dsns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_HEAD_SECONDS", 3.0)
    await configure(database, SHOP)
    async with running(settings(broker, database, tmp_path)) as door:
        port = door.client.base_url.port or 0

        async def trickle(number: int) -> None:
            """Begins a request and never ends its head, until the door hangs up."""
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(
                b"POST /forms/contact/submissions HTTP/1.1\r\nHost: shop\r\nX-Slow: " if number % 2 else b""
            )
            closed = asyncio.ensure_future(reader.read())
            while not closed.done():
                await asyncio.wait({closed}, timeout=0.5)
                writer.write(b"x" if number % 2 else b"")
            writer.close()

        slow = [asyncio.create_task(trickle(number)) for number in range(SLOW)]
        for number in range(20):
            answer = await door.client.post(
                "/forms/contact/submissions",
                json={"email": "ann@example.com", "message": f"healthy {number}"},
            )
            assert answer.status_code == 202
        async with asyncio.timeout(60):
            await asyncio.gather(*slow, return_exceptions=True)


async def test_a_quiet_chat_is_no_slow_caller(
    broker: Broker, database: Dsns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "_HEAD_SECONDS", 0.5)

    chat = Account(channel="chat", id="chat")
    await configure(database, msgspec.structs.replace(SHOP, accounts=(*SHOP.accounts, chat)))
    async with (
        running(settings(broker, database, tmp_path)) as door,
        greeted(str(door.client.base_url)) as (
            widget,
            _,
        ),
    ):
        await asyncio.sleep(1)
        await widget.say("Still here")
        await widget.until("ack")


async def test_a_head_without_end_is_cut(broker: Broker, database: Dsns, tmp_path: Path) -> None:
    await configure(database, SHOP)
    async with running(settings(broker, database, tmp_path)) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.client.base_url.port or 0)
        writer.write(b"POST /forms/contact/submissions HTTP/1.1\r\nHost: shop\r\n")
        sent, closed = 0, asyncio.ensure_future(reader.read())
        async with asyncio.timeout(60):
            while not closed.done() and sent < 64 << 20:
                writer.write(b"X-Long: " + b"x" * 8000 + b"\r\n")
                sent += 8010
                with contextlib.suppress(ConnectionError):
                    await writer.drain()
                await asyncio.sleep(0)
        # What the sockets between us hold counts too.
        assert sent < 16 << 20
        with contextlib.suppress(ConnectionError):
            await closed
        writer.close()
