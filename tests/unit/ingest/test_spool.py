"""The spool on a real disk: what was acknowledged is there after any end of the process, in order, once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.errors import Transient
from ingest.spool import Entry, Spool, SpoolTakenError, pending

ACCOUNT = "shop/webform/contact"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def spool(folder: Path) -> Iterator[Spool]:
    opened = reopened(folder)
    yield opened
    opened.close()


def reopened(folder: Path, limit: int = 1 << 20) -> Spool:
    return Spool.claim(folder, "gateway", limit, 0.001)


def entry(number: int, account: str = ACCOUNT) -> Entry:
    return Entry(account, "topic", b"key", b"%d" % number, (("traceparent", b"00"),))


async def values(spool: Spool, most: int = 1000) -> list[int]:
    return [int(e.value) for e in (await spool.oldest(most)).entries]


async def test_entries_come_back_in_the_order_they_were_acknowledged(spool: Spool, folder: Path) -> None:
    await asyncio.gather(*(spool.append([entry(n)]) for n in range(50)))

    assert await values(spool) == list(range(50))
    assert pending(folder) == 50
    assert (await spool.oldest(1)).entries[0] == entry(0)


async def test_an_account_is_held_until_its_last_entry_is_drained(spool: Spool) -> None:
    await spool.append([entry(1), entry(2)])
    assert (spool.holds(ACCOUNT), spool.holds("another")) == (True, False)

    await spool.drained(await spool.oldest(1))
    assert spool.holds(ACCOUNT)
    await spool.drained(await spool.oldest(1))
    assert not spool.holds(ACCOUNT)
    assert spool.filled == 0


async def test_a_new_process_goes_on_where_the_last_one_stopped(folder: Path) -> None:
    first = reopened(folder)
    await first.append([entry(n) for n in range(10)])
    await first.drained(await first.oldest(4))
    first.close()

    second = reopened(folder)
    assert await values(second) == [4, 5, 6, 7, 8, 9]
    assert second.holds(ACCOUNT)
    await second.append([entry(10)])
    assert await values(second) == [4, 5, 6, 7, 8, 9, 10]
    assert pending(folder) == 7
    second.close()


async def test_what_is_written_after_a_full_drain_and_a_restart_is_not_taken_for_drained(
    folder: Path,
) -> None:
    first = reopened(folder)
    await first.append([entry(n) for n in range(10)])
    first.close()
    second = reopened(folder)
    await second.drained(await second.oldest(100))
    second.close()

    third = reopened(folder)
    await third.append([entry(99)])
    assert await values(third) == [99]
    third.close()
    fourth = reopened(folder)
    assert await values(fourth) == [99]
    fourth.close()


@pytest.mark.parametrize("cut", [1, 7, 9, 20])
async def test_a_torn_tail_is_cut_and_the_rest_kept(folder: Path, cut: int) -> None:
    first = reopened(folder)
    await first.append([entry(1), entry(2)])
    first.close()
    [segment] = folder.glob("*/*.frames")
    segment.write_bytes(segment.read_bytes()[:-cut])

    second = reopened(folder)
    assert await values(second) == [1]
    await second.append([entry(3)])
    assert await values(second) == [1, 3]
    second.close()


async def test_a_damaged_frame_ends_its_segment(folder: Path) -> None:
    first = reopened(folder)
    await first.append([entry(1), entry(2)])
    first.close()
    [segment] = folder.glob("*/*.frames")
    damaged = bytearray(segment.read_bytes())
    damaged[-3] ^= 1
    segment.write_bytes(damaged)

    second = reopened(folder)
    assert await values(second) == [1]
    second.close()


async def test_a_full_spool_says_no_and_takes_again_once_drained(folder: Path) -> None:
    spool = reopened(folder, limit=200)
    while spool.filled < 1:
        await spool.append([entry(1)])
    with pytest.raises(Transient, match="full"):
        await spool.append([entry(2)])

    await spool.drained(await spool.oldest(1000))
    await spool.append([entry(3)])
    assert await values(spool) == [3]
    spool.close()


async def test_a_disk_that_refuses_is_told_to_the_sender_and_leaves_no_half_written_group(
    spool: Spool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await spool.append([entry(1)])

    def refuse(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("os.fsync", refuse)
        with pytest.raises(Transient, match="No space left"):
            await spool.append([entry(2)])
    await spool.append([entry(3)])

    assert await values(spool) == [1, 3]
    assert pending(folder) == 2


async def test_two_processes_never_share_a_folder(spool: Spool, folder: Path) -> None:
    with pytest.raises(SpoolTakenError):
        Spool(folder / "gateway-0", 1 << 20, 0.001)
    other = reopened(folder)
    await spool.append([entry(1)])
    await other.append([entry(2)])

    assert (await values(spool), await values(other)) == ([1], [2])
    assert pending(folder) == 2
    other.close()


async def test_drained_segments_are_deleted(
    spool: Spool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.spool._SEGMENT_BYTES", 100)
    for number in range(20):
        await spool.append([entry(number)])
    assert len(list(folder.glob("*/*.frames"))) > 5

    await spool.drained(await spool.oldest(1000))
    assert len(list(folder.glob("*/*.frames"))) == 1
    assert pending(folder) == 0


def test_nothing_waits_where_no_spool_was_ever_made(tmp_path: Path) -> None:
    assert pending(tmp_path / "nowhere") == 0
