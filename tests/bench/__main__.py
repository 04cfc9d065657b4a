"""`python -m tests.bench [--quick] [--only NAME…]`."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from runtime.process import collect_rarely
from tests.bench import (
    door,
    hosts,
    identity,
    imap,
    latency,
    mail,
    pipeline,
    pull,
    router,
    scaling,
    sockets,
    webhooks,
)
from tests.bench.report import Report
from tests.bench.workers import System
from tests.support.chain import Chain

# What measures which figures, in the order of a run.
_MEASURES = {
    pipeline.measure: (
        "pipeline_per_s",
        "pipeline_vs_write_limit",
        "pipeline_vs_row_at_a_time",
        "rss_mb_max",
    ),
    latency.measure: ("e2e_p50_ms_at_200", "e2e_p99_ms_at_200", "cpu_cores_at_200", "rss_mb_max"),
    door.measure: ("door_per_s", "door_p99_ms", "rss_mb_max"),
    sockets.measure: ("chat_ack_p50_ms_at_600", "chat_ack_p99_ms_at_600", "chat_sockets_lost", "rss_mb_max"),
    webhooks.measure: ("webhooks_per_s", "webhooks_p50_ms_at_300", "webhooks_p99_ms_at_300", "rss_mb_max"),
    mail.measure: ("mails_per_s",),
    imap.measure: ("imap_backlog_per_s", "imap_poll_many_vs_few", "rss_mb_max"),
    router.measure: (
        *("decide_us", "router_per_s", "router_p99_ms", "router_vs_write_limit"),
        *("router_per_s_20_rotations", "backtest_per_s"),
    ),
    scaling.measure: ("two_workers_vs_one",),
    identity.measure: (
        "identity_per_s_at_1m",
        "identity_growth_10k_to_1m",
        "identity_vs_write",
        "resolve_p99_ms_at_1m",
        "suggest_p99_ms_at_1m",
        "identity_conflict_duplicates",
    ),
    pull.measure: ("pull_next_p99_ms", "pull_next_p99_ms_busy", "rss_mb_max"),
    hosts.measure: ("faust_vs_plain", "faust_vs_plain_p50"),
}
FIGURES = tuple(dict.fromkeys(name for names in _MEASURES.values() for name in names))


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.bench", description="One JSON line a figure.")
    parser.add_argument("--only", nargs="+", choices=FIGURES, default=FIGURES, metavar="NAME")
    parser.add_argument("--quick", action="store_true", help="short runs: shows that it works, not how fast")
    arguments = parser.parse_args()
    report = Report(arguments.only)
    # The load stands for a door, which is a process of this kind.
    collect_rarely()
    with (
        tempfile.TemporaryDirectory(prefix="frontdesk-bench-") as folder,
        Chain(Path(folder), processes=()) as chain,
    ):
        system = System(chain, report, arguments.quick)
        for measure, figures in _MEASURES.items():
            if set(figures) & set(arguments.only):
                report.note(", ".join(figures))
                measure(system)
        if system.largest_rss:
            report.figure("rss_mb_max", system.largest_rss, "MB")
        system.run(())


if __name__ == "__main__":
    main()
