"""One widget's WebSocket: frames in, in their order, and what is queued for it out."""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from litestar import WebSocket, websocket
from litestar.exceptions import WebSocketDisconnect

from contracts.errors import Refused, Transient
from contracts.ids import receipt
from ingest import chat_frames
from ingest.chat import ChatDoor, Guest, Widget
from ingest.chat_frames import End, Hello, Message, Ping, Rate, Read, Resume
from ingest.chat_hub import AGAIN_LATER, Close, Hub, Tab, encode
from ingest.form_guard import Buckets
from ingest.form_guard import Rate as Speed
from runtime import metrics
from runtime.tasks import end

_HELLO_SECONDS = 5
_PING_SECONDS = 25
_SILENT_SECONDS = 70
_SEND_SECONDS = 20
_MOST_TABS = 10
_RETRY_SECONDS = 2
_FRAMES = Speed(burst=100, refill=10)

_AWAY, _POLICY = 1001, 1008
UNAUTHORIZED = 4401

Socket = WebSocket[Any, Any, Any]

_GONE = (WebSocketDisconnect, TimeoutError)

log = structlog.get_logger(__name__)


@websocket("/chat/ws")
async def chat(socket: Socket) -> None:
    """`?widget=`: the account. A page whose origin is not on its list is answered 403."""
    door, hub = socket.app.state.chat, socket.app.state.hub
    host = socket.headers.get("host", "")
    own = f"{'https' if socket.url.scheme == 'wss' else 'http'}://{host}"
    try:
        widget = door.widget(socket.query_params.get("widget", ""), socket.headers.get("origin", ""), own)
    except Refused as error:
        metrics.refused.labels("chat", "", error.reason).inc()
        await socket.close(_POLICY, error.reason)  # before it is accepted: answered 403
        return
    await socket.accept()
    await _Talk(socket, door, hub, widget).run()


class _Talk:
    """From the first frame to the last."""

    def __init__(self, socket: Socket, door: ChatDoor, hub: Hub, widget: Widget) -> None:
        self._socket = socket
        self._door = door
        self._hub = hub
        self._widget = widget
        self._frames = Buckets(1)

    async def run(self) -> None:
        try:
            guest, seen = await self._greeted()
        except (TimeoutError, WebSocketDisconnect):
            await self._end(Close(_POLICY, "no hello"))
            return
        except Refused as error:
            await self._socket.send_text(encode(_problem(error)))
            await self._end(Close(UNAUTHORIZED if error.status == 401 else _POLICY, error.reason))
            return
        tab = Tab(guest.chat, seen)
        if len(self._hub.tabs(tab.chat)) >= _MOST_TABS:
            await self._end(Close(AGAIN_LATER, "too many tabs"))
            return
        tab.offer(self._welcome(guest))
        self._hub.join(tab)
        sending = asyncio.create_task(self._send(tab))
        hearing = asyncio.create_task(self._hear(tab, guest))
        try:
            await asyncio.wait({sending, hearing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._hub.leave(tab)
            await end((sending, hearing))
        for task in (sending, hearing):
            fault = None if task.cancelled() else task.exception()
            if fault is not None and not isinstance(fault, _GONE):
                # A fault of ours ends this talk only: the widget comes back for what it has no ack of.
                log.error("chat ended", error=type(fault).__name__, exc_info=fault)

    async def _greeted(self) -> tuple[Guest, int]:
        async with asyncio.timeout(_HELLO_SECONDS):
            first = chat_frames.read(await self._received())
        if not isinstance(first, Hello | Resume):
            raise Refused("hello_first", "say hello, or resume", field="t")
        guest = self._door.guest(self._widget, first)
        # Numbers are those of one conversation: in another one they say nothing.
        known = first.token is not None and self._door.token(guest) == first.token
        return guest, first.after_seq if known else 0

    def _welcome(self, guest: Guest) -> dict[str, Any]:
        return {
            "t": "welcome",
            "v": 1,
            "visitor": guest.visitor.id,
            "token": self._door.token(guest),
            "conversation": guest.visitor.conversation,
            "departments": self._door.departments(guest),
            **self._door.hours(guest, None).told,
        }

    async def _hear(self, tab: Tab, guest: Guest) -> None:
        try:
            while True:
                async with asyncio.timeout(_SILENT_SECONDS):
                    data = await self._received()
                if not self._frames.take("", _FRAMES, asyncio.get_running_loop().time()):
                    raise Refused("rate_limited", "too many frames")
                await self._answer(tab, guest, data)
        except WebSocketDisconnect:
            return
        except TimeoutError:
            tab.close(_AWAY, "silent")
        except Refused as error:
            tab.offer(_problem(error))
            tab.close(_POLICY, error.reason)
        # Until the other side of the queue has sent it.
        await asyncio.sleep(_SEND_SECONDS)

    async def _received(self) -> str:
        """The next text frame. Raises `Refused` for another, which ends the talk."""
        event: Any = await self._socket.receive()
        if event["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(detail="gone", code=event.get("code") or 1005)
        if event.get("text") is None:
            raise Refused("binary", "frames are text", field="frame")
        return str(event["text"])

    async def _answer(self, tab: Tab, guest: Guest, data: str) -> None:
        try:
            frame = chat_frames.read(data)
            match frame:
                case Message():
                    hours = self._door.hours(guest, frame.department)
                    taken = await self._door.say(guest, frame, hours)
                    ack = {"t": "ack", "cid": frame.cid, "id": receipt(taken.message_ids[0])}
                    tab.offer(ack | hours.told)
                case Read():
                    await self._door.read(guest, frame.seq)
                case End():
                    if not await self._door.end(guest):
                        # It was over before, and this tab has not heard of it.
                        tab.offer({"t": "ended"})
                case Rate():
                    await self._door.rate(guest, frame)
                    tab.offer({"t": "rated"})
                case Ping():
                    tab.offer({"t": "pong"})
                case Hello() | Resume():
                    raise Refused("hello_once", "this socket has said hello", field="t")
        except Refused as error:
            metrics.refused.labels("chat", guest.widget.account.id, error.reason).inc()
            told = _problem(error, chat_frames.client_id(data))
            tab.offer(told | {"retry_after": _RETRY_SECONDS} if error.status == 429 else told)
        except Transient as error:
            refused = Refused("unavailable", "not stored, send it again", status=503)
            told = _problem(refused, chat_frames.client_id(data))
            tab.offer(told | {"retry_after": error.retry_after or _RETRY_SECONDS})

    async def _send(self, tab: Tab) -> None:
        while True:
            try:
                async with asyncio.timeout(_PING_SECONDS):
                    frame = await tab.next()
            except TimeoutError:
                frame = encode({"t": "ping"})
            if isinstance(frame, Close):
                await self._end(frame)
                return
            async with asyncio.timeout(_SEND_SECONDS):
                await self._socket.send_text(frame)

    async def _end(self, close: Close) -> None:
        if self._socket.connection_state != "disconnect":
            await self._socket.close(close.code, close.reason)


def _problem(error: Refused, cid: str | None = None) -> dict[str, Any]:
    """What is wrong, for the widget: `field` names the member."""
    told = {"t": "error", "code": error.reason, "detail": error.detail, "status": error.status}
    return told | {name: value for name, value in (("field", error.field), ("cid", cid)) if value}
