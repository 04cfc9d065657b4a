"""The processes under load: which of them run, with which settings, and what they use."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import psutil

from runtime.postgres import Database
from sinks.config_files import version
from sinks.postgres.config_store import ConfigStore
from tests.bench.forms import People
from tests.bench.load import with_load
from tests.bench.report import Report
from tests.support.chain import Chain


async def _at_any_hour(chain: Chain) -> None:
    """Without the answer that the demo gives when nobody works: a figure taken in the evening is one of the morning."""
    whole = chain.prepared.workspace
    config = msgspec.structs.replace(
        whole, rules=tuple(rule for rule in whole.rules if not rule.actions.auto_reply)
    )
    async with Database(chain.settings.postgres_system, max_size=1) as database:
        await ConfigStore(database).apply(config, version(config), "bench", datetime.now(UTC))


PIPELINE = ("identity", "router", "relay")


class System:
    """One chain for the whole run. Every figure says which processes it needs; what runs already stays."""

    def __init__(self, chain: Chain, report: Report, quick: bool) -> None:
        self.chain = chain
        self.report = report
        self.quick = quick
        self.people = People("known")
        self.largest_rss = 0.0
        """MB, of any process that was sampled after its load."""
        self._running: dict[str, dict[str, Any]] = {}
        self._warm = False
        asyncio.run(_at_any_hour(chain))

    def run(self, labels: Sequence[str], **changes: Any) -> None:
        """Starts these processes and stops the others. `router-2` is a second router; `changes`: settings of all."""
        wanted = dict.fromkeys(labels, changes)
        for label in [label for label, with_ in self._running.items() if wanted.get(label) != with_]:
            self.chain.stop(label)
            del self._running[label]
        new = [label for label in labels if label not in self._running]
        for label in new:
            self.chain.start(label.partition("-")[0], as_=label, **changes)
            self._running[label] = changes
        for label in new:
            self.chain.wait_ready(label)
        if new and "relay" in labels:
            self._warm_up()

    def processes(self) -> dict[str, psutil.Process]:
        """What runs now, by label."""
        return {label: psutil.Process(self.chain.children[label].pid) for label in self._running}

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time used so far, by label."""
        times = {label: process.cpu_times() for label, process in self.processes().items()}
        return {label: at.user + at.system for label, at in times.items()}

    def sample_rss(self) -> None:
        """To be called after a load."""
        for label, process in self.processes().items():
            megabytes = process.memory_info().rss / 1e6
            self.report.note(f"{label}: {megabytes:.0f} MB")
            self.largest_rss = max(self.largest_rss, megabytes)

    def _warm_up(self) -> None:
        """Until every partition has moved. The first time it makes the customers whom later forms come from; later it
        lets plans, pools and the new members settle."""
        count = 600 if self._warm else 1_000 if self.quick else 4_000
        forms = self.people.mixed(count) if self._warm else self.people.newcomers(count)
        rate = with_load(self.chain.settings, lambda load: load.burst(forms))
        self._warm = True
        self.report.note(f"warm: {', '.join(self._running)} ({rate:.0f}/s)")
