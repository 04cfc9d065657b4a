"""A thousand broken forms and a thousand broken frames: nothing crashes, and each is stored, held for a person, or refused with
the name of what is wrong."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import msgspec
import websockets

from contracts.errors import Refused
from contracts.ids import receipt
from contracts.workspace import Account
from ingest import chat_frames
from tests.support.chat import Frame, Widget, connected
from tests.support.door import Door, running
from tests.support.mutants import mutants
from tests.support.shop import SHOP, configure, settings
from tests.support.system import Broker, Dsns

COUNT, SEED = 1_000, 5
PATH = "/forms/contact/submissions"
BODY: dict[str, Any] = {
    "name": "Ann Lee",
    "email": "ann@example.com",
    "phone": "+44 20 7946 0123",
    "department": "billing",
    "category": "Billing",
    "subject": "Invoice 4411",
    "message": "Where is my order?",
    "fields": {"order_no": "A-17"},
    "locale": "en-GB",
    "website": "",
}
FRAMES: tuple[Frame, ...] = (
    {"t": "msg", "cid": "c-1", "text": "Merhaba", "department": "billing", "email": "ann@example.com"},
    {"t": "msg", "cid": "c-2", "text": "hello\nthere", "name": "Ann"},
    {"t": "read", "seq": 2},
    {"t": "typing"},
    {"t": "rate", "score": "positive", "comment": "fine"},
    {"t": "hello", "v": 1, "token": None, "user": {"id": "u-17", "hash": "9f"}, "page": "/pricing"},
)
CLOSED = {1007, 1008, 1009}
_VISITORS, _FRAMES_EACH = 10, 8


def forms() -> list[tuple[bytes, str]]:
    """One form in each encoding, and its content type."""
    flat = {name: value for name, value in BODY.items() if isinstance(value, str)}
    files = {"files": ("a.png", b"\x89PNG", "image/png")}
    made = (
        httpx.Request("POST", "http://door/", json=BODY),
        httpx.Request("POST", "http://door/", data=flat),
        httpx.Request("POST", "http://door/", data=flat, files=files),
    )
    return [(request.read(), request.headers["content-type"]) for request in made]


async def test_forms(broker: Broker, database: Dsns, tmp_path: Path) -> None:
    await configure(database)
    receipts: set[str] = set()
    refusals: list[int] = []

    async def send(door: Door, body: bytes, kind: str) -> None:
        answer = await door.client.post(PATH, content=body, headers={"content-type": kind})
        if answer.status_code == 202:
            receipts.add(answer.json()["receipt"])
            return
        assert 400 <= answer.status_code < 500, (answer.status_code, body)
        assert answer.headers["content-type"] == "application/problem+json"
        assert [error["field"] for error in answer.json()["errors"]], (answer.json(), body)
        refusals.append(answer.status_code)

    async with running(settings(broker, database, tmp_path)) as door:
        for number, (body, kind) in enumerate(forms()):
            broken = list(mutants([body], COUNT // 3 + 1, SEED + number))
            for start in range(0, len(broken), 25):
                await asyncio.gather(*(send(door, one, kind) for one in broken[start : start + 25]))
        stored = {receipt(message.message_id) for message in await door.stored()}
        held = await door.since.dead_letters()
    assert stored <= receipts
    assert len(receipts) == len(stored) + len(held)
    assert min(len(refusals), len(receipts)) > COUNT // 10


async def test_frames(broker: Broker, database: Dsns, tmp_path: Path) -> None:
    chat = Account(channel="chat", id="chat")
    await configure(database, msgspec.structs.replace(SHOP, accounts=(*SHOP.accounts, chat)))
    broken = list(mutants([json.dumps(frame).encode() for frame in FRAMES], COUNT, SEED))
    acknowledged: list[str] = []

    async def talk(url: str, frames: list[bytes]) -> None:
        """One visitor after another, each with few frames: who sends many is told to wait."""
        while frames:
            async with connected(url) as widget:
                await widget.send({"t": "hello", "v": 1})
                await widget.until("welcome")
                for _ in range(min(_FRAMES_EACH, len(frames))):
                    if not await answered(widget, frames.pop()):
                        break
                acknowledged.extend(frame["id"] for frame in widget.heard if frame["t"] == "ack")

    async with running(settings(broker, database, tmp_path)) as door:
        url = str(door.client.base_url)
        await asyncio.gather(*(talk(url, broken[n::_VISITORS]) for n in range(_VISITORS)))
        stored = {receipt(message.message_id) for message in await door.stored()}
    assert stored == set(acknowledged)
    assert len(stored) > COUNT // 50


async def answered(widget: Widget, frame: bytes) -> bool:
    """Sends it, and a ping behind it; False when the socket was closed for it. Fails when nothing came of it."""
    before = len(widget.heard)
    try:
        # Also what is no UTF-8 goes as the text that it says it is.
        await widget.socket.send(frame, text=True)
        await widget.send({"t": "ping"})
        while not any(heard["t"] == "pong" for heard in widget.heard[before:]):
            await widget._hear()
    except websockets.ConnectionClosed:
        assert widget.socket.close_code in CLOSED, (widget.socket.close_code, frame)
        return False
    told = [heard for heard in widget.heard[before:] if heard["t"] in ("ack", "error")]
    for error in (heard for heard in told if heard["t"] == "error"):
        assert {"code", "field", "status"} <= error.keys(), (error, frame)
    assert told or _silent(frame), frame
    return True


def _silent(frame: bytes) -> bool:
    """Whether it is a frame that is not answered."""
    try:
        return isinstance(chat_frames.read(frame.decode()), chat_frames.Read | chat_frames.Typing)
    except Refused:
        return False
