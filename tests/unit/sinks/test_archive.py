"""The archive on a real disk: bytes by their hash, whole or not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from contracts.errors import Transient
from contracts.ids import sha256_hex
from sinks.archive import Archive


def blob(content: bytes) -> dict[str, bytes]:
    return {sha256_hex(content): content}


async def test_bytes_come_back_by_their_reference(tmp_path: Path) -> None:
    archive = Archive(tmp_path / "archive")
    await archive.put(blob(b"one") | blob(b"two"))

    assert await archive.get(f"sha256:{sha256_hex(b'one')}") == b"one"
    with pytest.raises(FileNotFoundError):
        await archive.get(f"sha256:{sha256_hex(b'three')}")


async def test_the_same_bytes_many_times_at_once_are_one_file(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    await asyncio.gather(*(archive.put(blob(b"x" * 100_000)) for _ in range(20)))

    assert [path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()] == [100_000]


async def test_a_disk_that_refuses_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", refuse)
    with pytest.raises(Transient, match="No space left"):
        await Archive(tmp_path).put(blob(b"x"))

    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_nothing_to_store_touches_nothing(tmp_path: Path) -> None:
    await Archive(tmp_path / "never").put({})
    assert not (tmp_path / "never").exists()
