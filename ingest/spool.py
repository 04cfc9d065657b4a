"""The spool: where messages of senders that do not retry wait on disk while Kafka is away.

Append-only segments of frames `length, CRC-32, payload` (big-endian). A frame counts once it is fsynced; a torn tail is cut
at the last whole frame. Drained in order; how far is kept in `cursor`. One writer a folder.
"""

from __future__ import annotations

import asyncio
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import msgspec

from contracts.errors import Transient
from runtime import metrics
from runtime.failpoints import failpoint
from runtime.kafka import Outgoing

_HEAD = struct.Struct(">II")
_SEGMENT_BYTES = 64 << 20
_SUFFIX = ".frames"


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One record that waits, and the account it belongs to."""

    account: str
    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()

    def outgoing(self) -> Outgoing:
        return Outgoing(self.topic, self.key, self.value, self.headers)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


class Spool:
    """Bounded by bytes. `append` returns after fsync; concurrent appends share one."""

    def __init__(self, folder: Path, limit: int, gather_seconds: float) -> None:
        self._folder = folder
        self._limit = limit
        self._gather = gather_seconds
        self._waiting: list[tuple[Entry, asyncio.Future[None]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._accounts: dict[str, int] = {}
        self._bytes = 0
        self._open: BinaryIO | None = None
        self._segment, self._offset = self._recover()

    def holds(self, account: str) -> bool:
        """Whether something of this account waits: newer messages must queue behind it."""
        return self._accounts.get(account, 0) > 0

    @property
    def filled(self) -> float:
        """0 … 1: readiness ends at 0.8."""
        return self._bytes / self._limit

    async def append(self, entries: Sequence[Entry]) -> None:
        """On disk when it returns. Raises `Transient` when the spool is full or the disk refuses."""
        if self._bytes >= self._limit:
            raise Transient("spool: full", retry_after=30)
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in entries]
        for entry in entries:
            self._accounts[entry.account] = self._accounts.get(entry.account, 0) + 1
        self._waiting.extend(zip(entries, futures, strict=True))
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())
        await asyncio.gather(*futures)
        failpoint("spool.after_fsync")

    async def _flush(self) -> None:
        while self._waiting:
            await asyncio.sleep(self._gather)
            group, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._write, [_encode(entry) for entry, _ in group])
            except OSError as error:
                self._forget(entry for entry, _ in group)
                for _, future in group:
                    future.set_exception(Transient(f"spool: {error.strerror}", retry_after=30))
            else:
                for _, future in group:
                    if not future.done():
                        future.set_result(None)
            self._report()

    def _write(self, payloads: Sequence[bytes]) -> None:
        if self._open is None or self._open.tell() >= _SEGMENT_BYTES:
            self._roll()
        file = self._open
        assert file is not None
        start = file.tell()
        try:
            for payload in payloads:
                file.write(_HEAD.pack(len(payload), zlib.crc32(payload)) + payload)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            # Half a group on disk would come again beside its repetition: back to the last good end.
            file.truncate(start)
            file.seek(start)
            raise
        self._bytes += file.tell() - start

    def _roll(self) -> None:
        if self._open is not None:
            self._open.close()
        self._folder.mkdir(parents=True, exist_ok=True)
        number = max((int(path.stem) for path in _segments(self._folder)), default=0) + 1
        self._open = (self._folder / f"{number:012d}{_SUFFIX}").open("ab")

    def _recover(self) -> tuple[int, int]:
        """Counts what waits and cuts a torn tail. Returns the drain cursor."""
        segment, offset = _cursor(self._folder)
        for path in _segments(self._folder):
            end = (int(path.stem) == segment and offset) or 0
            for entry, after in _frames(path, end):
                self._accounts[entry.account] = self._accounts.get(entry.account, 0) + 1
                self._bytes += after - end
                end = after
            if path.stat().st_size > end:
                os.truncate(path, end)
        self._report()
        return segment, offset

    def waiting(self, most: int) -> tuple[list[Entry], tuple[int, int]]:
        """The oldest entries, and the cursor behind them; empty when there is nothing."""
        entries: list[Entry] = []
        at = (self._segment, self._offset)
        for path in _segments(self._folder):
            number = int(path.stem)
            if number < self._segment:
                continue
            start = self._offset if number == self._segment else 0
            for entry, after in _frames(path, start):
                entries.append(entry)
                at = (number, after)
                if len(entries) >= most:
                    return entries, at
        return entries, at

    def drained(self, entries: Sequence[Entry], cursor: tuple[int, int]) -> None:
        """These are in Kafka: moves the durable cursor and deletes finished segments."""
        partial = self._folder / "cursor.tmp"
        with partial.open("w") as file:
            file.write(f"{cursor[0]} {cursor[1]}")
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._folder / "cursor")
        self._segment, self._offset = cursor
        self._forget(entries)
        current = int(Path(self._open.name).stem) if self._open else -1
        for path in _segments(self._folder):
            number = int(path.stem)
            whole = number < cursor[0] or (number == cursor[0] and path.stat().st_size <= cursor[1])
            if whole and number != current:
                path.unlink()
        if not any(self._accounts.values()):
            self._bytes = 0
        self._report()

    def _forget(self, entries: Iterator[Entry] | Sequence[Entry]) -> None:
        for entry in entries:
            self._accounts[entry.account] -= 1

    def _report(self) -> None:
        metrics.spool_bytes.set(self._bytes)
        metrics.spool_messages.set(sum(self._accounts.values()))


def pending(folder: Path) -> int:
    """How many messages wait in all the spools below a folder: readable by any process."""
    count = 0
    for spool in folder.iterdir() if folder.is_dir() else ():
        segment, offset = _cursor(spool)
        for path in _segments(spool):
            number = int(path.stem)
            if number >= segment:
                count += sum(1 for _ in _frames(path, offset if number == segment else 0))
    return count


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{_SUFFIX}"))


def _cursor(folder: Path) -> tuple[int, int]:
    try:
        segment, offset = (folder / "cursor").read_text().split()
    except (FileNotFoundError, ValueError):
        return (0, 0)
    return int(segment), int(offset)


def _frames(path: Path, start: int) -> Iterator[tuple[Entry, int]]:
    """Whole frames from an offset on, each with the offset behind it; ends at the first torn one."""
    with path.open("rb") as file:
        file.seek(start)
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            length, checksum = _HEAD.unpack(head)
            payload = file.read(length)
            if len(payload) < length or zlib.crc32(payload) != checksum:
                return
            yield _decode(payload), file.tell()
