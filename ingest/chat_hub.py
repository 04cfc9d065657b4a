"""The open tabs of a gateway, and what is pushed into them: lines of their chats, by number, as Postgres has them.

Nothing is pushed that is not stored, and nothing is remembered here: whoever is woken reads what the tab has not yet got. So
tabs at several gateways, agents and reconnections all see the same lines in the same order.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from contracts.errors import Transient
from contracts.ids import receipt
from runtime.tasks import side_by_side
from sinks.postgres.chat_store import ChatKey, ChatStore, Line, Told, changed

_QUEUED = 500
_LINES = 200
_CHATS = 200
_RETRY_SECONDS = 0.5

AGAIN_LATER, RESTARTS = 1013, 1012
"""Close codes (RFC 6455 and its registry)."""

encode = msgspec.json.Encoder().encode


class Close(NamedTuple):
    """Ends a tab's connection, behind what is queued before it."""

    code: int
    reason: str = ""


class Tab:
    """One connection. `seen`: the number up to which it was given the lines of its chat."""

    def __init__(self, chat: ChatKey, seen: int) -> None:
        self.chat = chat
        self.seen = seen
        self._queue: asyncio.Queue[bytes | Close] = asyncio.Queue()

    def offer(self, frame: dict[str, Any]) -> None:
        """Queues a frame. Who does not read what is sent is cut off, and comes back for the rest."""
        if self._queue.qsize() >= _QUEUED:
            self.close(AGAIN_LATER, "not reading")
        else:
            self._queue.put_nowait(encode(frame))

    def close(self, code: int, reason: str = "") -> None:
        self._queue.put_nowait(Close(code, reason))

    async def next(self) -> bytes | Close:
        """What is to be sent next."""
        return await self._queue.get()


class Hub:
    """`run` pushes, for ever. `dsn`: for a session that listens (`sinks/postgres/chat_store.py`)."""

    def __init__(self, store: ChatStore, dsn: str) -> None:
        self._store = store
        self._dsn = dsn
        self._tabs: defaultdict[ChatKey, set[Tab]] = defaultdict(set)
        self._woken: set[ChatKey] = set()
        self._wake = asyncio.Event()

    def join(self, tab: Tab) -> None:
        """From now on it gets what its chat has behind `seen`."""
        self._tabs[tab.chat].add(tab)
        self._look_at([tab.chat])

    def leave(self, tab: Tab) -> None:
        tabs = self._tabs.get(tab.chat, set())
        tabs.discard(tab)
        if not tabs:
            self._tabs.pop(tab.chat, None)

    def tabs(self, chat: ChatKey) -> frozenset[Tab]:
        """Those of one visitor."""
        return frozenset(self._tabs.get(chat, ()))

    def close_all(self) -> None:
        """Sends everybody away, to come back to whoever takes over."""
        for tabs in list(self._tabs.values()):
            for tab in tabs:
                tab.close(RESTARTS, "restarting")

    async def run(self) -> None:
        await side_by_side(self._listen(), self._push())

    def _look_at(self, chats: Iterable[ChatKey]) -> None:
        self._woken.update(chats)
        self._wake.set()

    async def _listen(self) -> None:
        while True:
            with contextlib.suppress(Transient):
                async for change in changed(self._dsn):
                    # At the beginning: whatever happened while nobody listened.
                    self._heard(*change) if change else self._look_at(self._tabs)
            await asyncio.sleep(_RETRY_SECONDS)

    def _heard(self, chat: ChatKey, what: Told) -> None:
        if what is Told.LINES and chat in self._tabs:
            self._look_at([chat])
            return
        for tab in self.tabs(chat):
            tab.offer({"t": "ended"} if what is Told.ENDED else {"t": "typing", "from": "agent"})

    async def _push(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            woken, self._woken = self._woken, set()
            chats = sorted(chat for chat in woken if chat in self._tabs)
            try:
                for start in range(0, len(chats), _CHATS):
                    await self._push_to(chats[start : start + _CHATS])
            except Transient:
                self._woken |= woken
                await asyncio.sleep(_RETRY_SECONDS)
                self._wake.set()

    async def _push_to(self, chats: list[ChatKey]) -> None:
        after = {chat: min(tab.seen for tab in tabs) for chat in chats if (tabs := self.tabs(chat))}
        lines = await self._store.lines_after(after, _LINES) if after else []
        found: defaultdict[ChatKey, list[Line]] = defaultdict(list)
        for line in lines:
            found[line.chat].append(line)
        for chat, shown in found.items():
            # A tab that came meanwhile may want older ones: it is looked after in the next round.
            for tab in self.tabs(chat):
                if tab.seen >= after[chat]:
                    _show(tab, shown)
            if len(shown) == _LINES:
                self._look_at([chat])


def _show(tab: Tab, lines: list[Line]) -> None:
    for line in lines:
        if line.seq > tab.seen:
            tab.offer(_frame(line))
            tab.seen = line.seq


def _frame(line: Line) -> dict[str, Any]:
    frame = {
        "t": "msg",
        "id": receipt(line.message),
        "seq": line.seq,
        "from": "visitor" if line.name is None else "agent",
        "text": line.text,
        "at": line.at,
    }
    if line.name is not None:
        return frame | {"name": line.name}
    # The widget's own id, by which it knows its message again.
    return frame | {"cid": (line.provider_id or "").rpartition(":")[2]}
