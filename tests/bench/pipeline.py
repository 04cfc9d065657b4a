"""The whole pipeline at saturation, and against two other ways to write the same messages."""

from __future__ import annotations

from functools import partial

from tests.bench import row_at_a_time, write_limit
from tests.bench.load import Load, with_load
from tests.bench.workers import PIPELINE, System
from tests.bench.write_limit import Table


def measure(system: System) -> None:
    """Forms through intake, identity, router and relay, clocked from the first `accept` to the last ticket event; and, with
    nothing else running, the set-based write of the same rows and a consumer that goes row by row. In turns, since a shared
    machine is a fast one in one minute and a slow one in the next."""
    report, chain = system.report, system.chain
    count, naively, rounds = (1_500, 300, 1) if system.quick else (6_000, 1_000, 3)
    rates, limits, naive = [], [], []
    tables: list[Table] = []
    for _ in range(rounds):
        rates.append(_burst(system, count))
        tables = tables or write_limit.written(chain)
        limits.append(write_limit.measure(chain, tables))
        naive.append(row_at_a_time.measure(chain, naively))
        report.note(f"write limit: {limits[-1]:.0f}/s; row at a time: {naive[-1]:.0f}/s")
    report.figure("pipeline_per_s", report.median("pipeline 1/s", rates), "1/s")
    for name, others in (("pipeline_vs_write_limit", limits), ("pipeline_vs_row_at_a_time", naive)):
        ratios = [rate / other for rate, other in zip(rates, others, strict=True)]
        report.figure(name, report.median(name, ratios), "ratio")
    report.note(f"of the binary write: {rates[-1] / write_limit.measure(chain, tables, binary=True):.2f}")


def _burst(system: System, count: int) -> float:
    """Messages a second."""
    system.run(PIPELINE)
    forms, before = system.people.mixed(count), system.cpu_seconds()
    rate = with_load(system.chain.settings, partial(Load.burst, forms=forms))
    used = {label: (at - before[label]) / count * 1e6 for label, at in system.cpu_seconds().items()}
    system.report.note(f"{rate:.0f}/s; us/message: " + ", ".join(f"{k} {v:.0f}" for k, v in used.items()))
    system.sample_rss()
    system.run(())
    return rate
