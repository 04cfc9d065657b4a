"""The watchdog: a partition that has a backlog and does not move ends the process, unless it stands still for a reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import pytest

from runtime.guard import EXIT_FAULT
from runtime.health import Health
from runtime.hosts import progress
from runtime.hosts.progress import Progress, Standing
from runtime.incidents import MemoryIncidents, PartitionKey
from runtime.stage import Record

HERE: PartitionKey = ("numbers", 0)


class EndOfTestError(Exception):
    """Enough looks were taken."""


class Scene:
    """A watched partition, over so many looks."""

    def __init__(self, standing: Mapping[PartitionKey, tuple[int, int]] | None, looks: int = 20) -> None:
        self.standing = standing
        self.looks = looks
        self.excused = False
        self.incidents = MemoryIncidents()
        self.progress = Progress("identity", self.incidents, self._look, lambda: self.excused, {}, _end)

    async def _look(self) -> Standing | None:
        self.looks -= 1
        if not self.looks:
            raise EndOfTestError
        return self.standing

    async def live(self) -> bool:
        health = Health()
        self.progress.report(health)
        (check,) = health.live_checks.values()
        try:
            await check()
        except RuntimeError:
            return False
        return True


def _end(code: int) -> NoReturn:
    raise SystemExit(code)


def record(offset: int) -> Record:
    return Record(*HERE, offset, None, b"")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(progress, "STUCK_SECONDS", 0.005)


@pytest.mark.parametrize("began", [False, True], ids=["nothing fetched", "a batch in flight"])
async def test_a_backlog_that_does_not_move_ends_the_process(began: bool) -> None:
    scene = Scene({HERE: (10 if began else 0, 10)}, looks=100_000)
    if began:
        scene.progress.began([record(n) for n in range(10)])
    with pytest.raises(SystemExit) as ended:
        await scene.progress.watch()
    assert ended.value.code == EXIT_FAULT
    assert not await scene.live()


async def test_a_partition_that_is_done_may_rest() -> None:
    scene = Scene({HERE: (10, 10)})
    scene.progress.began([record(n) for n in range(10)])
    scene.progress.processed([record(n) for n in range(10)])
    with pytest.raises(EndOfTestError):
        await scene.progress.watch()
    assert await scene.live()


@pytest.mark.parametrize("reason", ["retrying", "fused", "unknown"])
async def test_standing_still_for_a_reason_is_no_fault(reason: str) -> None:
    scene = Scene(None if reason == "unknown" else {HERE: (0, 10)})
    scene.excused = reason == "retrying"
    if reason == "fused":
        await scene.incidents.open_fuse("identity", HERE, "too many failures")
    with pytest.raises(EndOfTestError):
        await scene.progress.watch()
    assert await scene.live()


async def test_a_rebalance_begins_anew() -> None:
    """What was done before says nothing: another member may have gone further, or gone back."""
    scene = Scene({HERE: (10, 10)})
    scene.progress.processed([record(3)])
    scene.progress.rebalanced()
    with pytest.raises(EndOfTestError):
        await scene.progress.watch()
    assert await scene.live()
