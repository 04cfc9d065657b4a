"""Alerts and dashboard: valid, tested, about metrics that exist, each alert with its runbook."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from ruamel.yaml import YAML

from runtime import metrics

ROOT = Path(__file__).resolve().parents[3]
PROMETHEUS = ROOT / "deploy/prometheus"
TESTS = sorted(PROMETHEUS.glob("*.test.yml"))
RULES: list[dict[str, Any]] = [
    rule for group in YAML(typ="safe").load(PROMETHEUS / "alerts.yml")["groups"] for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana/overview.json").read_text())
QUERIES = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]


def promtool(*arguments: str) -> None:
    tool = shutil.which("promtool")
    if tool is None:
        pytest.skip("promtool is not here; `make test` installs it (Debian: prometheus)")
    done = subprocess.run([tool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_accepts_configuration_and_rules() -> None:
    promtool("check", "config", "prometheus.yml")


def test_alerts_fire_when_they_should_and_only_then() -> None:
    promtool("test", "rules", *(file.name for file in TESTS))


def test_every_alert_is_tested() -> None:
    tested = {name for file in TESTS for name in re.findall(r"alertname: (\w+)", file.read_text())}
    assert tested == {rule["alert"] for rule in RULES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_every_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket", "none"}
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook_url"] == f"deploy/runbooks/{rule['alert']}.md"
    headings = re.findall(
        r"^## (\w+)$", (ROOT / rule["annotations"]["runbook_url"]).read_text(), re.MULTILINE
    )
    assert headings == ["Meaning", "Impact", "Check", "Fix", "Escalate"]


def test_no_runbook_is_left_of_an_alert_that_is_gone() -> None:
    assert {path.stem for path in (ROOT / "deploy/runbooks").glob("*.md")} == {
        rule["alert"] for rule in RULES
    }


def test_every_metric_exists() -> None:
    known = set(exposed())
    assert "frontdesk_accepted_total" in known
    for query in [rule["expr"] for rule in RULES] + QUERIES:
        assert set(re.findall(r"\b(?:frontdesk|process)_\w+", query)) <= known, query


def exposed() -> Iterator[str]:
    """The names of every series that a process of ours can expose."""
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "info": ("_info",)}
    assert metrics.accepted  # importing the module is what registers them
    for family in REGISTRY.collect():
        yield from (family.name + suffix for suffix in suffixes.get(family.type, ("",)))
