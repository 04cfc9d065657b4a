"""Everything at once: three channels, repetitions, poison, kills between steps and at random, rebalances, a broker kill, a
database restart. Lost without the guards: what was at work in each process at each of these moments."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path

from tests.faults import oracle
from tests.faults.load import Load
from tests.support import dovecot
from tests.support.chain import ALL, Chain, mailbox, wait_for

SOAK = bool(os.environ.get("SOAK"))
SEED = int(os.environ.get("SEED", "7"))
COUNT = 100_000 if SOAK else 5_000
ROUNDS = 16 if SOAK else 1

# Between which steps each process dies, once a round; the number is the hit at which it does.
PLACED = (
    ("identity", "identity.after_commit@3"),
    ("identity", "identity.after_produce@2"),
    ("router", "router.after_commit@3"),
    ("router", "host.before_ack@2"),
    ("relay", "relay.after_produce@2"),
    ("gateway", "intake.after_produce@20"),
    ("mail", "imap.after_produce@2"),
)
AT_RANDOM = ("gateway", "identity", "router", "relay", "mail")


def test_a_storm_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    with (
        dovecot.running() as imap,
        Chain(tmp_path, processes=(*ALL, "mail"), mailboxes=(mailbox(imap.port),), poll_seconds=2) as chain,
    ):
        hurt = threading.Event()
        load = Load(chain, imap, SEED, COUNT, per_second=90, enough=hurt)
        load.start()
        faults = _faults(chain) * ROUNDS
        rng.shuffle(faults)
        for fault in faults:
            fault()
            _moves_again(chain, load)
            assert load.is_alive(), load.failure
        hurt.set()
        load.join()
        assert load.failure is None, load.failure
        oracle.check(chain, load.ledger)


def _faults(chain: Chain) -> list[Callable[[], None]]:
    placed = [lambda name=name, point=point: chain.die_at(name, point) for name, point in PLACED]
    random_kills = [lambda name=name: chain.kill(name) for name in AT_RANDOM]
    return [
        *placed,
        *random_kills,
        lambda: _join_and_leave(chain, "identity"),
        lambda: _join_and_leave(chain, "router"),
        lambda: _restart_broker(chain),
        lambda: chain.postgres.restart(immediate=True),
    ]


def _join_and_leave(chain: Chain, name: str) -> None:
    """Two rebalances: a second worker takes partitions over and gives them back."""
    second = f"{name}-2"
    chain.start(name, as_=second)
    chain.wait_ready(second)
    assert chain.stop(second, signal.SIGTERM) == 0


def _restart_broker(chain: Chain) -> None:
    chain.kafka.kill()
    chain.kafka.start()


def _moves_again(chain: Chain, load: Load) -> None:
    """Every partition moves within 20 seconds: all that was sent before the fault ended somewhere."""
    # The load goes on in its own thread: a copy is one step of the interpreter.
    before = set(load.ledger.acknowledged.copy())

    def arrived() -> bool:
        stored = {row[0] for row in chain.rows("SELECT message_id FROM messages")}
        return before <= stored

    wait_for(arrived, 20 if not SOAK else 60, "everything sent before the fault is stored")
