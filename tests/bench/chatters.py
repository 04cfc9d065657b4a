"""`python -m tests.bench.chatters` reads a `Chatters` as JSON, opens widgets' sockets, writes on some of them, and prints a
`Heard` as JSON."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import time

import msgspec
import uvloop
from websockets import ConnectionClosed

from tests.support.chat import Widget, greeted

_AT_ONCE = 50


class Chatters(msgspec.Struct):
    """How many only listen, and how many write, each once in `pause` seconds, for so many seconds."""

    port: int
    idle: int
    active: int
    seconds: float
    pause: float = 2.0


class Heard(msgspec.Struct):
    """`delays`: seconds from a message to its acknowledgement. `lost`: sockets that did not last."""

    delays: list[float]
    lost: int


def run(order: Chatters) -> Heard:
    """From a process of its own: what the visitors cost is not the gateway's."""
    command = [sys.executable, "-m", "tests.bench.chatters"]
    output = subprocess.run(command, input=msgspec.json.encode(order), check=True, stdout=subprocess.PIPE)
    return msgspec.json.decode(output.stdout, type=Heard)


async def _chat(
    order: Chatters, writes: bool, places: asyncio.Semaphore, ready: asyncio.Barrier
) -> list[float]:
    delays: list[float] = []
    async with contextlib.AsyncExitStack() as stack:
        async with places:
            widget, _ = await stack.enter_async_context(greeted(f"http://127.0.0.1:{order.port}"))
        await ready.wait()
        end = time.monotonic() + order.seconds
        if not writes:
            await _listen(widget, order.seconds)
        # Not all in the same moment.
        await asyncio.sleep(random.uniform(0, order.pause) if writes else 0)
        while writes and (began := time.monotonic()) < end:
            await widget.until("ack", cid=await widget.say("How much is it?"))
            delays.append(time.monotonic() - began)
            await asyncio.sleep(order.pause)
    return delays


async def _listen(widget: Widget, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                frame = msgspec.json.decode(await widget.socket.recv())
                if frame["t"] == "ping":
                    await widget.send({"t": "pong"})


async def _main(order: Chatters) -> Heard:
    places, ready = asyncio.Semaphore(_AT_ONCE), asyncio.Barrier(order.idle + order.active)
    writers = [n < order.active for n in range(order.idle + order.active)]
    found = await asyncio.gather(
        *(_chat(order, writes, places, ready) for writes in writers), return_exceptions=True
    )
    for fault in found:
        if isinstance(fault, BaseException) and not isinstance(fault, ConnectionClosed):
            raise fault
    delays = [delay for each in found if isinstance(each, list) for delay in each]
    return Heard(delays, sum(isinstance(each, BaseException) for each in found))


if __name__ == "__main__":
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Chatters)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcome = runner.run(_main(wanted))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
