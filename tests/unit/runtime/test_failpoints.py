"""A fail-point ends the process where it is armed, and costs nothing elsewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.failpoints import EXIT_CODE, NAMES, arm

ROOT = Path(__file__).parents[3]
PROGRAM = """
from runtime.failpoints import arm, failpoint
import sys
arm(sys.argv[1])
for _ in range(4):
    print("before", flush=True)
    failpoint("host.before_ack")
"""


@pytest.mark.parametrize(
    ("setting", "hits", "code"),
    [
        ("host.before_ack", 1, EXIT_CODE),
        ("host.before_ack@3", 3, EXIT_CODE),
        ("host.before_ack@5", 4, 0),
        ("relay.after_produce", 4, 0),
        ("", 4, 0),
    ],
)
def test_ends_the_process_at_the_hit_it_is_armed_for(setting: str, hits: int, code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, setting], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert (done.stdout.count("before"), done.returncode) == (hits, code)


def test_a_name_that_no_code_passes_is_refused() -> None:
    with pytest.raises(ValueError, match=r"no fail-point 'host\.before_ak'"):
        arm("host.before_ak")


def test_every_name_is_passed_by_some_code() -> None:
    packages = ("runtime", "sinks", "ingest", "identity", "router", "desk")
    passed = {
        name
        for package in packages
        for path in (ROOT / package).rglob("*.py")
        for name in re.findall(r'failpoint\("([^"]+)"\)', path.read_text("utf-8"))
    }
    assert passed == NAMES
