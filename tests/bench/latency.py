"""Latency and CPU at a steady rate."""

from __future__ import annotations

from tests.bench.load import with_load
from tests.bench.report import percentile
from tests.bench.workers import PIPELINE, System

RATE = 200


def measure(system: System) -> None:
    """From the beginning of `accept` to the ticket event as a consumer reads it, and what the workers use meanwhile."""
    report, seconds = system.report, 5 if system.quick else 20
    system.run(PIPELINE)
    forms = system.people.mixed(RATE * seconds)
    before = system.cpu_seconds()
    delays = with_load(system.chain.settings, lambda load: load.steady(forms, RATE))
    used = {label: (at - before[label]) / seconds for label, at in system.cpu_seconds().items()}
    report.note("cores: " + ", ".join(f"{label} {cores:.2f}" for label, cores in used.items()))
    report.figure("e2e_p50_ms_at_200", percentile(delays, 0.5) * 1000, "ms")
    report.figure("e2e_p99_ms_at_200", percentile(delays, 0.99) * 1000, "ms")
    report.figure("cpu_cores_at_200", sum(used.values()), "cores")
    system.sample_rss()
