"""The Faust host against the plain one, both as shipped."""

from __future__ import annotations

import statistics

from tests.bench.latency import RATE
from tests.bench.load import Load, with_load
from tests.bench.workers import PIPELINE, System

_HOSTS = ("faust", "aiokafka")


def measure(system: System) -> None:
    """Interleaved; the order of the runs cancels a drift of the machine."""
    rates: dict[str, list[float]] = {host: [] for host in _HOSTS}
    medians: dict[str, list[float]] = {host: [] for host in _HOSTS}
    for turn in range(1 if system.quick else 5):
        for host in _HOSTS[:: -1 if turn % 2 else 1]:
            system.run(PIPELINE, host=host)
            rate, delay = _one(system)
            system.report.note(f"{host}: {rate:.0f}/s, {delay * 1000:.0f} ms")
            rates[host].append(rate)
            medians[host].append(delay)
    faust, plain = (system.report.median(f"{host} 1/s", rates[host]) for host in _HOSTS)
    system.report.figure("faust_vs_plain", faust / plain, "ratio")
    faust, plain = (system.report.median(f"{host} p50 s", medians[host]) for host in _HOSTS)
    system.report.figure("faust_vs_plain_p50", faust / plain, "ratio")


def _one(system: System) -> tuple[float, float]:
    """Messages a second at saturation, and the median delay in seconds at a steady rate."""
    burst = system.people.mixed(1_500 if system.quick else 4_000)
    steady = system.people.mixed(RATE * 3)

    async def work(load: Load) -> tuple[float, float]:
        return await load.burst(burst), statistics.median(await load.steady(steady, RATE))

    return with_load(system.chain.settings, work)
