"""Webhooks: signed calls of WhatsApp to the gateway alone, answered 200 after Kafka's acknowledgement."""

from __future__ import annotations

from msgspec.structs import replace

from tests.bench.client import Order, run
from tests.bench.door import CONNECTIONS
from tests.bench.report import percentile
from tests.bench.workers import System

RATE = 300


def measure(system: System) -> None:
    """As many as are answered, and the delay of a steady rate from when each call was due."""
    steady, fast = (3, 2) if system.quick else (20, 5)
    system.run(("gateway",))
    hook = next(hook for hook in system.chain.settings.hooks if hook.channel == "whatsapp")
    port, secret = system.chain.settings.gateway_port, hook.secrets[0]
    order = Order(port, CONNECTIONS, fast, account=hook.account, secret=secret)
    # The first run warms the gateway up.
    run(replace(order, seconds=2))
    most = run(order)
    rated = run(replace(order, seconds=steady, per_second=RATE))
    # The same calls at the same rate, but each is refused: nothing waits for Kafka, what is left is the machine's own.
    forged = run(replace(order, seconds=steady, per_second=RATE, secret="another", expected=(403,)))
    system.report.note(f"p99 of refused calls: {percentile(forged.delays, 0.99) * 1000:.0f} ms")
    if refused := most.refused + rated.refused:
        system.report.note(f"{refused} calls were not accepted")
    system.report.figure("webhooks_per_s", len(most.delays) / most.seconds, "1/s")
    system.report.figure("webhooks_p50_ms_at_300", percentile(rated.delays, 0.5) * 1000, "ms")
    system.report.figure("webhooks_p99_ms_at_300", percentile(rated.delays, 0.99) * 1000, "ms")
    system.sample_rss()
