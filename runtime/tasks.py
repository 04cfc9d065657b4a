"""Tasks side by side, and the end of those that would go on for ever.

`asyncio.TaskGroup` cancels each task once. That may not be enough: `asyncio.wait_for` forgets a cancellation that comes as its
future is done (CPython 37658, mended in 3.12), and when something fails at the very moment of the cancellation (a connection
that is being closed), only the failure is seen. Who comes again after every failure then goes on, and the group waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any

_AGAIN_SECONDS = 1.0


async def side_by_side(*works: Coroutine[Any, Any, Any]) -> None:
    """Runs these until the first of them ends; then the others are ended. Raises what it raised."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        await end(tasks)
    for task in done:
        task.result()


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels these tasks until the last is over, also while this is cancelled itself. What they ended with does not
    count."""
    left, cancelled = set(tasks), False
    while left:
        for task in left:
            task.cancel()
        try:
            await asyncio.wait(left, timeout=_AGAIN_SECONDS)
        except asyncio.CancelledError:
            cancelled = True
        for task in [task for task in left if task.done()]:
            left.remove(task)
            if not task.cancelled():
                # Looked at, or asyncio complains that nobody did.
                task.exception()
    if cancelled:
        raise asyncio.CancelledError
