"""Tasks that would go on for ever come to their end."""

from __future__ import annotations

import asyncio

from runtime.tasks import end


async def test_a_task_that_misses_its_cancellation_is_cancelled_again() -> None:
    missed = 0

    async def stubborn() -> None:
        nonlocal missed
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                # As when what is cleaned up fails.
                missed += 1
                if missed == 2:
                    raise

    async def failing() -> None:
        raise OSError

    tasks = [asyncio.create_task(work) for work in (stubborn(), failing(), asyncio.sleep(3600))]
    await asyncio.sleep(0)
    async with asyncio.timeout(30):
        await end(tasks)
    assert [task.cancelled() for task in tasks] == [True, False, True]
    assert missed == 2
