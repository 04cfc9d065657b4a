"""The spool: where messages of senders that do not retry wait on disk while Kafka is away.

Append-only segments of frames `length, CRC-32, payload` (big-endian). A frame counts once it is fsynced; a torn tail is cut
at the last whole frame. Drained in order; how far is kept in `cursor`. One writer a folder, which a lock sees to.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from io import FileIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec
import structlog

from contracts.errors import Transient
from runtime import metrics
from runtime.failpoints import failpoint
from runtime.files import sync_folder, write_durably
from runtime.kafka import Outgoing

_HEAD = struct.Struct(">II")
_SEGMENT_BYTES = 64 << 20
_SUFFIX = ".frames"

log = structlog.get_logger(__name__)


class Place(NamedTuple):
    """A point in the spool: segments are numbered from 1 and never used again."""

    segment: int = 0
    offset: int = 0


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One record that waits, and the account it belongs to."""

    account: str
    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()

    def outgoing(self) -> Outgoing:
        return Outgoing(self.topic, self.key, self.value, self.headers)


class Waiting(NamedTuple):
    """The oldest entries, what they take on disk, and the place behind them."""

    entries: list[Entry]
    size: int
    after: Place


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode


class SpoolTakenError(RuntimeError):
    """Another process writes into this folder."""


class Spool:
    """Bounded by bytes. `append` returns after fsync; concurrent appends share one. Raises `SpoolTakenError`."""

    def __init__(self, folder: Path, limit: int, gather_seconds: float) -> None:
        self._folder = folder
        self._limit = limit
        self._gather = gather_seconds
        self._lock = _locked(folder)
        self._arriving: list[tuple[Entry, asyncio.Future[None]]] = []
        self._flusher: asyncio.Task[None] | None = None
        self._accounts: Counter[str] = Counter()
        self._bytes = 0
        self._file: FileIO | None = None
        self._start = _cursor(folder)
        self._end = self._recover()

    @classmethod
    def claim(cls, folder: Path, name: str, limit: int, gather_seconds: float) -> Spool:
        """The first spool `name-N` below the folder that no process has: a restarted process finds its own again."""
        number = 0
        while True:
            try:
                return cls(folder / f"{name}-{number}", limit, gather_seconds)
            except SpoolTakenError:
                number += 1

    def holds(self, account: str) -> bool:
        """Whether something of this account waits: newer messages must queue behind it."""
        return self._accounts[account] > 0

    @property
    def filled(self) -> float:
        """0 … 1: readiness ends at 0.8."""
        return self._bytes / self._limit

    async def append(self, entries: Sequence[Entry]) -> None:
        """On disk when it returns. Raises `Transient` when the spool is full or the disk refuses."""
        if self._bytes >= self._limit:
            raise Transient("spool: full", retry_after=30)
        loop = asyncio.get_running_loop()
        futures: list[asyncio.Future[None]] = [loop.create_future() for _ in entries]
        self._accounts.update(entry.account for entry in entries)
        self._arriving.extend(zip(entries, futures, strict=True))
        if self._flusher is None or self._flusher.done():
            self._flusher = asyncio.create_task(self._flush())
        await asyncio.gather(*futures)
        failpoint("spool.after_fsync")

    async def oldest(self, most: int) -> Waiting:
        """At most so many of the entries that are on disk, in the order they came."""
        return await asyncio.to_thread(self._oldest, most)

    async def drained(self, done: Waiting) -> None:
        """These are in Kafka: moves the durable cursor and deletes finished segments."""
        await asyncio.to_thread(self._advance, done.after)
        self._accounts.subtract(entry.account for entry in done.entries)
        self._bytes -= done.size
        self._report()

    def close(self) -> None:
        """What waits stays on disk, for whoever takes the folder next."""
        if self._file is not None:
            self._file.close()
        self._lock.close()

    async def _flush(self) -> None:
        while self._arriving:
            await asyncio.sleep(self._gather)
            group, self._arriving = self._arriving, []
            failure: Transient | None = None
            try:
                self._bytes += await asyncio.to_thread(self._write, [_encode(entry) for entry, _ in group])
            except OSError as error:
                self._accounts.subtract(entry.account for entry, _ in group)
                failure = Transient(f"spool: {error.strerror}", retry_after=30)
            for _, future in group:
                if not future.done():
                    future.set_exception(failure) if failure else future.set_result(None)
            self._report()

    def _write(self, payloads: Sequence[bytes]) -> int:
        """Returns the bytes written; what is written becomes visible to `oldest` only after fsync."""
        if self._file is None or self._file.tell() >= _SEGMENT_BYTES:
            self._roll()
        file = self._file
        assert file is not None
        start = file.tell()
        frames = b"".join(_HEAD.pack(len(p), zlib.crc32(p)) + p for p in payloads)
        try:
            if file.write(frames) != len(frames):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(file.fileno())
        except OSError:
            # Half a group on disk would come again beside its repetition: the segment is given up at its last good end.
            self._file = None
            file.close()
            os.truncate(file.name, start)
            raise
        self._end = Place(self._end.segment, file.tell())
        return len(frames)

    def _roll(self) -> None:
        if self._file is not None:
            self._file.close()
        # Above the cursor too: a number that was drained and deleted must not come back.
        number = max((*map(_number, _segments(self._folder)), self._start.segment)) + 1
        self._file = (self._folder / f"{number:012d}{_SUFFIX}").open("ab", buffering=0)
        sync_folder(self._folder)
        self._end = Place(number, 0)

    def _recover(self) -> Place:
        """Deletes what is drained, cuts a torn tail, counts what waits. Returns the end."""
        end = self._start
        for path in _segments(self._folder):
            if _number(path) < self._start.segment:
                path.unlink()
                continue
            end = Place(_number(path), _first(path, self._start))
            for payload, after in _frames(path, end.offset):
                self._accounts[_decode(payload).account] += 1
                self._bytes += after - end.offset
                end = end._replace(offset=after)
            if path.stat().st_size > end.offset:
                log.warning("torn tail of the spool cut", count=path.stat().st_size - end.offset)
                os.truncate(path, end.offset)
        self._report()
        return end

    def _oldest(self, most: int) -> Waiting:
        entries: list[Entry] = []
        after, size, end = self._start, 0, self._end
        for path in _segments(self._folder):
            if not self._start.segment <= _number(path) <= end.segment:
                continue
            after = Place(_number(path), _first(path, self._start))
            for payload, offset in _frames(path, after.offset):
                if len(entries) == most or Place(after.segment, offset) > end:
                    return Waiting(entries, size, after)
                entries.append(_decode(payload))
                size += offset - after.offset
                after = after._replace(offset=offset)
        return Waiting(entries, size, after)

    def _advance(self, cursor: Place) -> None:
        write_durably(self._folder / "cursor", f"{cursor.segment} {cursor.offset}".encode())
        self._start = cursor
        for path in _segments(self._folder):
            if _number(path) < cursor.segment:
                path.unlink()

    def _report(self) -> None:
        metrics.spool_bytes.set(self._bytes)
        metrics.spool_messages.set(self._accounts.total())


def pending(folder: Path) -> int:
    """How many messages wait in all the spools below a folder: readable by any process."""
    count = 0
    for spool in folder.iterdir() if folder.is_dir() else ():
        start = _cursor(spool)
        for path in _segments(spool):
            # Drained and deleted meanwhile: then nothing waits there.
            with contextlib.suppress(FileNotFoundError):
                if _number(path) >= start.segment:
                    count += sum(1 for _ in _frames(path, _first(path, start)))
    return count


def _locked(folder: Path) -> BinaryIO:
    folder.mkdir(parents=True, exist_ok=True)
    handle = (folder / "lock").open("wb")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        raise SpoolTakenError(str(folder)) from None
    return handle


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*{_SUFFIX}"))


def _number(path: Path) -> int:
    return int(path.stem)


def _first(path: Path, start: Place) -> int:
    """Where reading begins in this segment."""
    return start.offset if _number(path) == start.segment else 0


def _cursor(folder: Path) -> Place:
    try:
        segment, offset = (folder / "cursor").read_text().split()
    except FileNotFoundError:
        return Place()
    return Place(int(segment), int(offset))


def _frames(path: Path, start: int) -> Iterator[tuple[bytes, int]]:
    """The payloads of whole frames from an offset on, each with the offset behind it; ends at the first torn one."""
    with path.open("rb") as file:
        file.seek(start)
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            length, checksum = _HEAD.unpack(head)
            payload = file.read(length)
            if len(payload) < length or zlib.crc32(payload) != checksum:
                return
            yield payload, file.tell()
