"""Tasks that would go on for ever come to their end."""

from __future__ import annotations

import asyncio

import pytest

from runtime.tasks import end, side_by_side


class Stubborn:
    """Loses its first cancellation, as when what is cleaned up fails."""

    def __init__(self) -> None:
        self.cancelled = 0

    async def run(self) -> None:
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                self.cancelled += 1
                if self.cancelled == 2:
                    raise


async def failing() -> None:
    raise OSError


async def test_a_task_that_misses_its_cancellation_is_cancelled_again() -> None:
    stubborn = Stubborn()
    tasks = [asyncio.create_task(work) for work in (stubborn.run(), failing(), asyncio.sleep(3600))]
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await end(tasks)
    assert [task.cancelled() for task in tasks] == [True, False, True]
    assert stubborn.cancelled == 2


async def test_the_first_that_fails_ends_the_others() -> None:
    stubborn = Stubborn()

    async def fails_later() -> None:
        await asyncio.sleep(0)
        raise OSError

    async with asyncio.timeout(30):
        with pytest.raises(OSError):
            await side_by_side(stubborn.run(), fails_later())
    assert stubborn.cancelled == 2


async def test_groups_within_groups_end_though_each_is_cancelled_more_than_once() -> None:
    inner = [Stubborn(), Stubborn()]
    outer = asyncio.create_task(
        side_by_side(side_by_side(*(one.run() for one in inner)), asyncio.sleep(3600)),
    )
    await asyncio.sleep(0.1)
    async with asyncio.timeout(30):
        await end([outer])
    assert outer.cancelled()
    assert [one.cancelled for one in inner] == [2, 2]
