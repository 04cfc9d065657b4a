"""No mail is lost, hangs or crashes its reader, however damaged it is."""

from __future__ import annotations

import asyncio
import json
import sys

COUNT, SEED = 2_000, 1
PEAK_MB = 256


async def test_every_damaged_mail_is_stored_or_parked_with_its_bytes() -> None:
    """The reader checks each mail and ends itself at the first that hangs."""
    reader = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.laws.mail_reader", str(COUNT), str(SEED)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    printed, errors = await reader.communicate()
    assert reader.returncode == 0, errors.decode()
    seen = json.loads(printed)
    assert seen["stored"] + seen["parked"] == COUNT
    assert seen["stored"] > 0.9 * COUNT
    assert seen["peak_mb"] < PEAK_MB, seen
