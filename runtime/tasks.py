"""The end of tasks that would go on for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

_AGAIN_SECONDS = 1.0


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels these tasks until the last is over; what they ended with does not count.

    Once may not be enough: when something fails at the very moment of the cancellation (a connection that is being closed,
    another task of the same group), only the failure is seen, and who comes again after every failure goes on.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        done, left = await asyncio.wait(left, timeout=_AGAIN_SECONDS)
        # Looked at, or asyncio complains that nobody did.
        await asyncio.gather(*done, return_exceptions=True)
