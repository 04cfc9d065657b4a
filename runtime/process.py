"""The main function of every process: settings, logs, health, signals, services; exit codes that supervisors understand.

0: asked to stop, and stopped cleanly. 70: something failed that cannot be named; start it again. 137: killed.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import platform
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Protocol, runtime_checkable

import structlog
import uvloop

from runtime import failpoints, logs, metrics
from runtime.health import Health
from runtime.settings import Settings

EXIT_FAULT = 70
_STOP_SECONDS = 10.0
_LAG_SAMPLE_SECONDS = 0.5

# From glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3

log = structlog.get_logger(__name__)


class Service(Protocol):
    """Part of a process. `run` works until `stop` was called, then finishes what is in flight and returns."""

    async def run(self) -> None: ...

    async def stop(self) -> None: ...


@runtime_checkable
class Reports(Protocol):
    """A service that adds its checks to the process's health, before `run`."""

    def report(self, health: Health) -> None: ...


def run_process(name: str, settings: Settings, services: Sequence[Service]) -> None:
    """Runs the services until SIGTERM or SIGINT, or until one fails. Ends the process."""
    logs.configure(name, settings.log_level)
    failpoints.arm(settings.failpoint)
    collect_rarely()
    give_back()
    metrics.build.info(
        {"version": version("frontdesk"), "python": platform.python_version(), "host": settings.host}
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        code = runner.run(_main(name, settings, services))
    sys.stdout.flush()
    # Libraries may keep threads that never end: all our own work is done.
    os._exit(code)


def collect_rarely() -> None:
    """A batch makes a hundred thousand objects, nearly all freed by their reference counts. At Python's own thresholds the
    collector walks through everything again and again, which costs a worker a third of its time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def give_back() -> None:
    """What a large batch was packed in goes back to the system with it. glibc would take it for the usual size from then on,
    and keep it: a tenth of a worker's memory. Other C libraries have no such call."""
    with suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, 128 << 10)
        libc.mallopt(_M_TRIM_THRESHOLD, 256 << 10)


async def _main(name: str, settings: Settings, services: Sequence[Service]) -> int:
    health, stopping = Health(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    for service in services:
        if isinstance(service, Reports):
            service.report(health)
    port = await health.serve(settings.listen, settings.metrics_port)
    log.info("started", process=name, port=port)
    sampler = asyncio.create_task(_sample_lag())
    tasks = [asyncio.create_task(service.run()) for service in services]
    health.started = True
    stopped = asyncio.create_task(stopping.wait())
    done, _ = await asyncio.wait([*tasks, stopped], return_when=asyncio.FIRST_COMPLETED)
    code = 0 if stopped in done else EXIT_FAULT
    for task in done - {stopped}:
        if error := task.exception():
            log.error("service failed", error=type(error).__name__, exc_info=error)
    await _stop(services, tasks)
    sampler.cancel()
    await health.close()
    log.info("stopped", process=name, code=code)
    return code


async def _stop(services: Sequence[Service], tasks: Sequence[asyncio.Task[None]]) -> None:
    try:
        async with asyncio.timeout(_STOP_SECONDS):
            await asyncio.gather(*(service.stop() for service in services), return_exceptions=True)
            await asyncio.gather(*tasks, return_exceptions=True)
    except TimeoutError:
        # What is unfinished is not acknowledged, so it comes again.
        log.warning("not drained in time", seconds=_STOP_SECONDS)


async def _sample_lag() -> None:
    while True:
        before = time.monotonic()
        await asyncio.sleep(_LAG_SAMPLE_SECONDS)
        metrics.event_loop_lag.observe(max(0.0, time.monotonic() - before - _LAG_SAMPLE_SECONDS))
