"""Mail by IMAP, from a real server into Kafka: how fast a backlog is drained, and what a look at a folder costs."""

from __future__ import annotations

import asyncio
import statistics
import time
from itertools import cycle, islice

from ingest.imap_session import connect
from tests.bench.workers import System
from tests.laws.mail_mutants import originals
from tests.support.chain import mailbox, wait_for
from tests.support.dovecot import Dovecot, running

BACKLOG, SMALL = 10_000, 100
LARGE = 64 << 10
LOOKS = 200
_POSITION = "SELECT coalesce(max(position), 0) FROM cursors WHERE channel = 'email'"


def measure(system: System) -> None:
    """A folder of real mails is read by a mail process that finds it full; then one of few mails and one of many are looked
    at for new ones, as every `poll_seconds` does."""
    count = 500 if system.quick else BACKLOG
    with running() as server:
        _fill(server, "desk", count)
        _fill(server, "small", SMALL)
        system.report.figure("imap_backlog_per_s", _drained(system, server, count), "1/s")
        small, large = asyncio.run(_looks(server))
        system.report.note(f"a look at {SMALL} mails {small * 1000:.2f} ms, at {count} {large * 1000:.2f} ms")
        system.report.figure("imap_poll_many_vs_few", large / small, "ratio")


def _fill(server: Dovecot, user: str, count: int) -> None:
    for mail in islice(cycle(mail for mail in originals() if len(mail) < LARGE), count):
        server.deliver(mail, user=user)


def _drained(system: System, server: Dovecot, count: int) -> float:
    """Mails a second, from the first to the last that is durable: the start of the process is not in it."""
    system.run(())
    system.run(("mail",), mailboxes=(mailbox(server.port),))
    wait_for(lambda: _position(system) > 0, 60, "the first mails")
    began, first = time.monotonic(), _position(system)
    wait_for(lambda: _position(system) >= count, 900, "the last mail")
    seconds = time.monotonic() - began
    system.sample_rss()
    system.run(())
    return (count - first) / seconds


def _position(system: System) -> int:
    return int(system.chain.scalar(_POSITION))


async def _looks(server: Dovecot) -> tuple[float, float]:
    """The median of a look at the small folder and at the large one, side by side."""
    seconds: dict[str, list[float]] = {"small": [], "desk": []}
    async with (
        connect(mailbox(server.port, "small")) as small,
        connect(mailbox(server.port, "desk")) as large,
    ):
        sessions = {"small": small, "desk": large}
        last = {}
        for name, session in sessions.items():
            await session.select("INBOX")
            last[name] = (await session.newer_than(0))[-1]
        for _ in range(LOOKS):
            for name, session in sessions.items():
                began = time.perf_counter()
                await session.newer_than(last[name])
                seconds[name].append(time.perf_counter() - began)
    return statistics.median(seconds["small"]), statistics.median(seconds["desk"])
