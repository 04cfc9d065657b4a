"""The archive on a real disk: bytes by their hash, whole or not at all."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from contracts.errors import Transient
from contracts.ids import sha256_hex
from sinks.archive import FolderArchive


def blob(content: bytes) -> dict[str, bytes]:
    return {sha256_hex(content): content}


async def test_bytes_come_back_by_their_reference(tmp_path: Path) -> None:
    archive = FolderArchive(tmp_path / "archive")
    await archive.put(blob(b"one") | blob(b"two"))

    assert await archive.get(f"sha256:{sha256_hex(b'one')}") == b"one"
    with pytest.raises(FileNotFoundError):
        await archive.get(f"sha256:{sha256_hex(b'three')}")


async def test_the_same_bytes_many_times_at_once_are_one_file(tmp_path: Path) -> None:
    archive = FolderArchive(tmp_path)
    await asyncio.gather(*(archive.put(blob(b"x" * 100_000)) for _ in range(20)))

    assert [path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()] == [100_000]


async def test_a_disk_that_refuses_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(Transient, match="No space left"):
        await FolderArchive(tmp_path).put(blob(b"x"))

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_nothing_to_store_touches_nothing(tmp_path: Path) -> None:
    await FolderArchive(tmp_path / "never").put({})
    assert not (tmp_path / "never").exists()


async def test_what_is_removed_is_gone_and_what_is_put_again_is_new(tmp_path: Path) -> None:
    archive, digest = FolderArchive(tmp_path), sha256_hex(b"x")
    assert await archive.put_since(digest) is None
    await archive.put(blob(b"x"))
    os.utime(tmp_path / digest[:2] / digest, (0, 0))
    assert (await archive.put_since(digest) or 0) > 1_000_000_000
    await archive.put(blob(b"x"))
    assert (await archive.put_since(digest) or 0) < 1_000_000_000
    for _ in range(2):
        await archive.remove(digest)
    assert await archive.put_since(digest) is None
