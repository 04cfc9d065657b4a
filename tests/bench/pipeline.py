"""The whole pipeline at saturation, and against two other ways to write the same messages."""

from __future__ import annotations

from functools import partial

from tests.bench import row_at_a_time, write_limit
from tests.bench.load import Load, with_load
from tests.bench.workers import PIPELINE, System


def measure(system: System) -> None:
    """Forms through intake, identity, router and relay, clocked from the first `accept` to the last ticket event; then,
    with nothing else running, the set-based write of the same rows and a consumer that goes row by row."""
    report, settings = system.report, system.chain.settings
    count, rounds = (1_500, 1) if system.quick else (6_000, 3)
    system.run(PIPELINE)
    rates = []
    for _ in range(rounds):
        forms = system.people.mixed(count)
        before = system.cpu_seconds()
        rates.append(with_load(settings, partial(Load.burst, forms=forms)))
        used = {label: (at - before[label]) / count * 1e6 for label, at in system.cpu_seconds().items()}
        report.note(f"{rates[-1]:.0f}/s; us/message: " + ", ".join(f"{k} {v:.0f}" for k, v in used.items()))
    rate = report.median("pipeline 1/s", rates)
    system.sample_rss()
    report.figure("pipeline_per_s", rate, "1/s")
    system.run(())
    limits, binary = write_limit.measure(system.chain, 1 if system.quick else 3)
    report.figure("pipeline_vs_write_limit", rate / report.median("write limit 1/s", limits), "ratio")
    report.note(f"of the binary write: {rate / report.median('binary write limit 1/s', binary):.2f}")
    naive = row_at_a_time.measure(system.chain, 400 if system.quick else 1_500)
    report.note(f"row at a time: {naive:.0f}/s")
    report.figure("pipeline_vs_row_at_a_time", rate / naive, "ratio")
