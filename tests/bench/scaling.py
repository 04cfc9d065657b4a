"""One worker a stage against two, over a backlog."""

from __future__ import annotations

import signal
import time

from tests.bench.load import Load, with_load
from tests.bench.workers import PIPELINE, System

_TWO = (*PIPELINE, "identity-2", "router-2")


def measure(system: System) -> None:
    """The order of the runs cancels a drift of the machine."""
    orders = ((PIPELINE, _TWO),) if system.quick else ((PIPELINE, _TWO), (_TWO, PIPELINE), (PIPELINE, _TWO))
    rates: dict[int, list[float]] = {len(PIPELINE): [], len(_TWO): []}
    for order in orders:
        for labels in order:
            system.run(labels)
            rates[len(labels)].append(_drain(system, 1_500 if system.quick else 6_000))
    one, two = (system.report.median(f"{count} processes 1/s", each) for count, each in rates.items())
    system.report.figure("two_workers_vs_one", two / one, "ratio")


def _drain(system: System, count: int) -> float:
    """Messages a second of a backlog. The workers are frozen while it grows, so that nobody has to start or join."""
    forms = system.people.mixed(count)
    before = system.cpu_seconds()

    async def work(load: Load) -> float:
        _signal(system, signal.SIGSTOP)
        try:
            began = await load.accept(forms)
        finally:
            _signal(system, signal.SIGCONT)
        start = time.monotonic()
        return count / (max(p.seen for p in await load.passages(began)) - start)

    rate = with_load(system.chain.settings, work)
    used = {label: at - before[label] for label, at in system.cpu_seconds().items()}
    system.report.note(f"{rate:.0f}/s; CPU s: " + ", ".join(f"{k} {v:.1f}" for k, v in used.items()))
    return rate


def _signal(system: System, number: signal.Signals) -> None:
    for label in system.processes():
        system.chain.children[label].signal(number)
