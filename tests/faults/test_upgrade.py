"""Yesterday's workers on today's schema, and today's beside them, under load: what a rolling upgrade or roll-back does."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.faults import oracle
from tests.faults.load import Load
from tests.support.chain import Chain

ROOT = Path(__file__).resolve().parents[2]
COUNT = 400


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout


def _before_newest_migration() -> str:
    """The last commit that does not know the newest migration."""
    newest = sorted((ROOT / "sinks" / "postgres" / "migrations").glob("*.sql"))[-1]
    added = _git("log", "--diff-filter=A", "--format=%H", "--", str(newest)).decode().split()
    if not added:
        pytest.skip("the newest migration is not committed yet")
    return f"{added[-1]}^"


def test_old_and_new_workers_share_a_schema(tmp_path: Path) -> None:
    old = tmp_path / "old"
    with tarfile.open(fileobj=io.BytesIO(_git("archive", _before_newest_migration()))) as archive:
        archive.extractall(old, filter="data")
    # The interpreter puts the folder of `-c` first, so the old tree is what these workers run.
    program = ("-c", f"import sys; sys.path.insert(0, {str(old)!r}); from frontdesk.cli import main; main()")
    with Chain(tmp_path / "chain") as chain:
        for name in ("identity", "router"):
            chain.start(name, as_=f"{name}-old", program=program)
            chain.wait_ready(f"{name}-old")
        load = Load(chain, None, 5, COUNT, per_second=100)
        load.start()
        for name in ("identity", "router"):
            chain.kill(name)
        load.join()
        assert load.failure is None, load.failure
        oracle.check(chain, load.ledger)
