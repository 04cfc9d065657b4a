"""The oracle sees what each guard prevents: the same small run is green with the guard and red without it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults import oracle
from tests.faults.load import Load
from tests.support.chain import Chain, wait_for

COUNT = 300
PLAIN = ("-m", "frontdesk")

CASES = {
    "offset_before_work": ("identity", "identity.after_commit"),
    # The mutant passes the point before it publishes, too: its first hit is there.
    "delete_before_publishing": ("relay", "relay.after_produce"),
    "answer_before_storing": ("gateway", ""),
}
"""Guard -> the process that loses it, and where that process dies."""


@pytest.mark.parametrize("guard", CASES)
def test_without_the_guard_the_oracle_goes_red(tmp_path: Path, guard: str) -> None:
    with Chain(tmp_path, host="aiokafka") as chain:
        _run(chain, guard, PLAIN, seed=1)
        with pytest.raises(AssertionError):
            _run(chain, guard, ("-m", "tests.faults.mutant", guard), seed=2)


def _run(chain: Chain, guard: str, program: tuple[str, ...], seed: int) -> None:
    """A small load, during which the process dies once at its place and is started again unhurt."""
    process, failpoint = CASES[guard]
    chain.stop(process, signal.SIGKILL)
    armed = chain.start(process, program=program, failpoint=failpoint)
    chain.wait_ready(process)
    load = Load(chain, None, seed, COUNT, per_second=100)
    load.start()
    if failpoint:
        wait_for(lambda: armed.exit_code() is not None, 60, f"{process} dies at {failpoint}")
        chain.start(process)
    load.join()
    assert load.failure is None, load.failure
    oracle.check(chain, load.ledger, at_least=True)
