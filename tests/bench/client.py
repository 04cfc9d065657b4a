"""`python -m tests.bench.client` reads an `Order` as JSON, posts over kept-alive connections, and prints a `Result` as JSON."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice

import msgspec
import uvloop

from tests.bench import calls


class Order(msgspec.Struct):
    """What to post. `per_second`: on a fixed schedule, whatever becomes of the others; 0: as fast as answered. `account` and
    `secret`: of the webhook; without them forms are posted."""

    port: int
    connections: int
    seconds: float
    per_second: float = 0
    account: str = ""
    secret: str = ""
    expected: tuple[int, ...] = (200, 202)
    """The answers that count."""


class Result(msgspec.Struct):
    """`delays`: seconds to the answer of each call that was answered as expected, from when it was due. `seconds`: how long the whole took."""

    delays: list[float]
    refused: int
    seconds: float


def run(order: Order) -> Result:
    """Posts from a process of its own: what the client costs is not the gateway's."""
    command = [sys.executable, "-m", "tests.bench.client"]
    output = subprocess.run(command, input=msgspec.json.encode(order), check=True, stdout=subprocess.PIPE)
    return msgspec.json.decode(output.stdout, type=Result)


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _post_all(
    order: Order, line: Connection, waiting: Iterator[tuple[int, bytes]], start: float, result: Result
) -> None:
    reader, writer = line
    for number, call in waiting:
        if order.per_second:
            due = start + number / order.per_second
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        else:
            due = time.monotonic()
            if due >= start + order.seconds:
                break
        writer.write(call)
        status, _ = await answer(reader)
        if status in order.expected:
            result.delays.append(time.monotonic() - due)
        else:
            result.refused += 1
    writer.close()
    await writer.wait_closed()


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Status and body of the next answer on a kept-alive connection."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
    return int(head.split(b" ", 2)[1]), await reader.readexactly(length)


async def _main(order: Order) -> Result:
    made = calls.webhooks(order.account, order.secret) if order.account else calls.forms()
    if order.per_second:
        made = iter(list(islice(made, int(order.per_second * order.seconds))))
    lines = [await asyncio.open_connection("127.0.0.1", order.port) for _ in range(order.connections)]
    waiting, result, start = enumerate(made), Result([], 0, 0.0), time.monotonic()
    async with asyncio.TaskGroup() as group:
        for line in lines:
            group.create_task(_post_all(order, line, waiting, start, result))
    result.seconds = time.monotonic() - start
    return result


if __name__ == "__main__":
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(_main(wanted))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
