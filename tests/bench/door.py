"""The HTTP door: the gateway alone, and a client in a process of its own."""

from __future__ import annotations

from tests.bench.client import Order, run
from tests.bench.report import percentile
from tests.bench.workers import System

CONNECTIONS = 64


def measure(system: System) -> None:
    """Forms with an Idempotency-Key, answered 202 after Kafka's acknowledgement."""
    seconds = 2 if system.quick else 5
    system.run(("gateway",))
    # The first run warms the gateway up.
    for duration in (2, seconds):
        result = run(Order(system.chain.settings.gateway_port, CONNECTIONS, duration))
    if result.refused:
        system.report.note(f"{result.refused} forms were not accepted")
    system.report.figure("door_per_s", len(result.delays) / result.seconds, "1/s")
    system.report.figure("door_p99_ms", percentile(result.delays, 0.99) * 1000, "ms")
    system.sample_rss()
