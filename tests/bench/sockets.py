"""Live chat: the gateway alone, with many visitors who only look and some who write."""

from __future__ import annotations

from tests.bench.chatters import Chatters, run
from tests.bench.report import percentile
from tests.bench.workers import System

IDLE, ACTIVE = 500, 100


def measure(system: System) -> None:
    """Messages acknowledged after Kafka's acknowledgement, while everybody is connected."""
    seconds = 6 if system.quick else 40  # longer than a sign of life takes
    system.run(("gateway",))
    heard = run(Chatters(system.chain.settings.gateway_port, IDLE, ACTIVE, seconds))
    if heard.lost:
        system.report.note(f"{heard.lost} of {IDLE + ACTIVE} sockets were lost")
    system.report.figure("chat_ack_p50_ms_at_600", percentile(heard.delays, 0.5) * 1000, "ms")
    system.report.figure("chat_ack_p99_ms_at_600", percentile(heard.delays, 0.99) * 1000, "ms")
    system.report.figure("chat_sockets_lost", heard.lost, "sockets")
    system.sample_rss()
