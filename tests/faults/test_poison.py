"""A run of records that no code can read: parked one by one, until there are so many that the partition must stop."""

from __future__ import annotations

import asyncio
from pathlib import Path

from contracts.topics import INBOUND
from runtime.kafka import Outgoing, Producer
from tests.faults import oracle
from tests.faults.load import Load
from tests.support.chain import Chain, wait_for

RUN = 230
FUSE_EXIT = 70


def test_a_run_of_poison_blows_the_fuse_and_only_its_partition_stands_still(tmp_path: Path) -> None:
    with Chain(tmp_path) as chain:
        identity = chain.children["identity"]
        asyncio.run(_poison(chain))
        wait_for(lambda: identity.exit_code() is not None, 60, "the fuse ends the process")
        assert identity.exit_code() == FUSE_EXIT
        identity.start()
        chain.wait_ready("identity")
        fused = chain.rows("SELECT topic, partition FROM fuses WHERE stage = 'identity'")
        assert len(fused) == 1
        load = Load(chain, None, 11, 200, per_second=100)
        load.start()
        load.join()
        assert load.failure is None, load.failure
        topic, partition = fused[0]
        elsewhere = f"SELECT count(*) FROM messages WHERE partition <> {partition}"
        wait_for(lambda: chain.scalar(elsewhere) > 0, 60, "other partitions move")
        assert chain.scalar(f"SELECT count(*) FROM messages WHERE partition = {partition}") == 0
        resumed = chain.command("dlq", "resume", "identity", topic, str(partition))
        assert resumed.returncode == 0, resumed.stderr
        load.ledger.bad_records += RUN
        # The fuse counts anew after a restart, and what is left of the run is shorter than it takes.
        oracle.check(chain, load.ledger)
        assert chain.scalar("SELECT count(*) FROM dead_letters WHERE reason = 'undecodable'") >= RUN


async def _poison(chain: Chain) -> None:
    producer = Producer(chain.settings.kafka)
    try:
        await producer.send_all(
            [Outgoing(INBOUND.name, b"same", b"\xff%d" % number) for number in range(RUN)]
        )
    finally:
        await producer.stop()
