"""`python -m tests.bench.client PORT CONNECTIONS SECONDS`: posts forms over kept-alive connections, as fast as answered.

Prints a `Result` as JSON.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator
from itertools import cycle

import msgspec
import uvloop

from tests.bench.forms import ACCOUNT, Form, People


class Result(msgspec.Struct):
    """`delays`: seconds to the answer of each accepted form. `seconds`: how long the whole took."""

    delays: list[float]
    refused: int
    seconds: float


async def _post_all(port: int, forms: Iterator[tuple[int, Form]], until: float, result: Result) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.monotonic() < until:
        number, form = next(forms)
        began = time.monotonic()
        writer.write(
            f"POST /forms/{ACCOUNT}/submissions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Idempotency-Key: {os.getpid()}-{number}\r\nContent-Length: {len(form.body)}\r\n\r\n".encode()
            + form.body
        )
        if await _status(reader) == 202:
            result.delays.append(time.monotonic() - began)
        else:
            result.refused += 1
    writer.close()
    await writer.wait_closed()


async def _status(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head.split(b" ", 2)[1])


async def _main(port: int, connections: int, seconds: float) -> Result:
    # Bodies made beforehand and sent again under new keys: making them is not what is measured.
    forms = enumerate(cycle(People(f"door{os.getpid()}").newcomers(2_000)))
    result = Result([], 0, 0.0)
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(_post_all(port, forms, began + seconds, result))
    result.seconds = time.monotonic() - began
    return result


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(_main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
