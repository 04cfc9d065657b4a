"""Real servers for the whole run, started when the first test asks for one, and the time that each folder took."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePath

import pytest

from frontdesk.embedded import EmbeddedKafka, EmbeddedPostgres


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A broker without topics; tests create theirs."""
    broker = EmbeddedKafka(tmp_path_factory.mktemp("kafka"))
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server without databases; tests create theirs."""
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    server.start()
    try:
        yield server
    finally:
        server.stop()
        server.remove()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Minutes by folder: what a run costs, and where."""
    seconds: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                seconds[str(PurePath(report.nodeid.split("::")[0]).parent)] += report.duration
    if seconds:
        terminalreporter.section("minutes by folder")
        for folder, spent in sorted(seconds.items()):
            terminalreporter.write_line(f"{spent / 60:6.2f}  {folder}")
