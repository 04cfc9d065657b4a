"""The `frontdesk` command as a process of its own, with the settings that a test gives it and no others."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec


class Ended(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    output: str
    errors: str

    @property
    def rows(self) -> list[dict[str, Any]]:
        """What it wrote with `--json`."""
        return [msgspec.json.decode(line) for line in self.output.splitlines()]


Command = Callable[..., Awaitable[Ended]]


async def frontdesk(*arguments: str, **settings: str) -> Ended:
    """Runs a command to its end; `postgres="…"` is FRONTDESK_POSTGRES."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("FRONTDESK_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "frontdesk", *arguments),
        env=inherited | {f"FRONTDESK_{name.upper()}": value for name, value in settings.items()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, output.decode(), errors.decode())
