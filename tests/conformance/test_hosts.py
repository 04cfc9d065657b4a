"""What every host promises, checked over every host on a real broker."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

from contracts.topics import DEAD_LETTERS
from frontdesk.embedded import EmbeddedKafka
from runtime.guard import EXIT_FAULT
from runtime.hosts.memory import MemoryHost
from runtime.kafka import Outgoing, Producer, read_range
from tests.conformance.rig import Rig
from tests.conformance.stages import Note, processed
from tests.support.system import eventually


@pytest.fixture(params=["faust", "aiokafka"])
async def make(
    request: pytest.FixtureRequest, kafka: EmbeddedKafka, tmp_path: Path
) -> AsyncIterator[Callable[..., Rig]]:
    rigs: list[Rig] = []

    def build(sources: int = 1) -> Rig:
        rigs.append(Rig(request.param, kafka.bootstrap, tmp_path, sources))
        return rigs[-1]

    yield build
    for rig in rigs:
        await rig.producer.stop()
        del DEAD_LETTERS[rig.name]


async def test_every_record_once_in_the_order_of_its_partition(make: Callable[..., Rig]) -> None:
    rig = make(sources=2)
    await rig.create()
    await rig.feed([Note(number=n) for n in range(300)], source=0)
    await rig.feed([Note(number=n) for n in range(300, 400)], source=1)
    async with rig.running():
        await eventually(lambda: len(rig.numbers()) >= 400)
        await rig.feed([Note(number=n) for n in range(400, 500)])
        await eventually(lambda: len(rig.numbers()) >= 500)
    assert sorted(rig.numbers()) == list(range(500))
    for at in await rig.ends():
        offsets = [row.offset for row in processed(rig.log) if (row.topic, row.partition) == at]
        assert offsets == sorted(offsets)
    assert await rig.committed() == await rig.ends()


async def test_what_comes_second_waits_for_what_was_there_before_and_starves_nobody(
    make: Callable[..., Rig],
) -> None:
    rig = make(sources=2)
    await rig.create()
    # One sender: 400 in the first topic, then 300 diverted; another sender comes while these are under way.
    await rig.feed([Note(number=n) for n in range(400)], source=0, key="hot")
    await rig.feed([Note(number=n) for n in range(400, 700)], source=1, key="hot")
    async with rig.running():
        await eventually(lambda: any(number >= 400 for number in rig.numbers()))
        await rig.feed([Note(number=n) for n in range(700, 720)], source=0, key="other")
        await eventually(lambda: len(rig.numbers()) >= 720)
        numbers = rig.numbers()
    assert [n for n in numbers if n < 700] == list(range(700))
    assert numbers.index(719) < 719, "the other sender waited for all that was diverted"
    assert await rig.committed() == await rig.ends()


async def test_poison_is_parked_and_its_neighbours_are_processed(make: Callable[..., Rig]) -> None:
    rig = make()
    await rig.create()
    await rig.feed([Note(number=n, act={7: "poison", 8: "reject"}.get(n, "")) for n in range(20)], key="one")
    await rig.producer.send_all([Outgoing(rig.stage.sources[0].name, b"one", b"{not json")])
    await rig.feed([Note(number=20)], key="one")
    async with rig.running():
        await eventually(lambda: 20 in rig.numbers())
    assert sorted(set(rig.numbers())) == [n for n in range(21) if n not in (7, 8)]
    assert {letter["reason"] for letter in await rig.letters()} == {"poisonous", "unwanted", "undecodable"}
    assert await rig.committed() == await rig.ends()


async def test_the_memory_host_comes_to_the_same(make: Callable[..., Rig], tmp_path: Path) -> None:
    """Same records: same outcomes in the same order, same dead letters under the same ids, same offsets."""
    rig = make()
    await rig.create()
    acts = {3: "reject", 11: "transient", 12: "poison", 25: "reject"}
    await rig.feed([Note(number=n, act=acts.get(n, "")) for n in range(40)])
    async with rig.running():
        await eventually(lambda: len(set(rig.numbers())) >= 37)
    records = [
        record
        for (topic, partition), end in (await rig.ends()).items()
        async for record in read_range(rig.kafka, topic, partition, 0, end)
    ]
    rig.stage.log = tmp_path / "memory"
    memory = MemoryHost(rig.stage, records)
    await memory.run()
    letters = [msgspec.json.decode(out.value) for out in memory.producer.sent]
    assert set(processed(rig.stage.log)) == set(processed(rig.log))
    assert {letter["dead_letter_id"] for letter in letters} == {
        letter["dead_letter_id"] for letter in await rig.letters()
    }
    assert memory.done == await rig.committed()


async def test_transient_is_tried_again_in_place(make: Callable[..., Rig]) -> None:
    rig = make()
    await rig.create()
    await rig.feed([Note(number=n, act="transient" if n == 3 else "") for n in range(10)], key="one")
    async with rig.running():
        await eventually(lambda: len(rig.numbers()) >= 10)
    assert rig.numbers() == list(range(10))
    assert await rig.letters() == []


async def test_a_record_without_a_value_is_parked(make: Callable[..., Rig]) -> None:
    rig = make()
    await rig.create()
    async with AIOKafkaProducer(bootstrap_servers=rig.kafka) as producer:
        await producer.send_and_wait(rig.stage.sources[0].name, key=b"one", value=None)
    await rig.feed([Note(number=1)], key="one")
    async with rig.running():
        await eventually(lambda: rig.numbers() == [1])
    assert [letter["reason"] for letter in await rig.letters()] == ["undecodable"]


@pytest.mark.parametrize(("act", "code"), [("bug", EXIT_FAULT), ("die", 137)])
async def test_a_process_that_ends_in_a_batch_loses_nothing(
    make: Callable[..., Rig], act: str, code: int
) -> None:
    rig = make()
    await rig.create()
    await rig.feed([Note(number=n, act=act if n == 60 else "") for n in range(100)], key="one")
    first = await rig.worker()
    assert await asyncio.wait_for(first.wait(), 60) == code
    assert 60 not in rig.numbers()
    committed = sum((await rig.committed()).values())
    assert committed <= len(set(rig.numbers())), "an offset moved before its record was done"
    second = await rig.worker()
    await eventually(lambda: set(rig.numbers()) == set(range(100)))
    second.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(second.wait(), 15) == 0
    assert await rig.committed() == await rig.ends()


async def test_a_fuse_stops_its_partition_only_until_it_is_closed(make: Callable[..., Rig]) -> None:
    rig = make()
    await rig.create()
    await rig.feed([Note(number=n) for n in range(40)])
    fused = (rig.stage.sources[0].name, 2)
    behind = (await rig.ends())[fused]
    await rig.incidents.open_fuse(rig.name, fused, "too many failures")
    async with rig.running():
        await eventually(lambda: len(rig.numbers()) >= 40 - behind)
        await rig.feed([Note(number=n) for n in range(40, 80)])
        behind = (await rig.ends())[fused]
        await eventually(lambda: len(rig.numbers()) >= 80 - behind)
        assert not [row for row in processed(rig.log) if row[:2] == fused]
        del rig.incidents.fuses[(rig.name, fused)]
        await eventually(lambda: len(rig.numbers()) >= 80)
    assert sorted(rig.numbers()) == list(range(80))


async def test_a_second_member_and_its_leaving_lose_nothing(make: Callable[..., Rig]) -> None:
    rig = make()
    await rig.create()
    async with rig.running():
        other = await rig.worker()
        fed = 0
        async with asyncio.timeout(60):
            while not any(row.process == other.pid for row in processed(rig.log)):
                await rig.feed([Note(number=n) for n in range(fed, fed + 20)])
                fed += 20
        other.send_signal(signal.SIGTERM)
        await rig.feed([Note(number=n) for n in range(fed, fed + 100)])
        assert await asyncio.wait_for(other.wait(), 15) == 0
        await rig.feed([Note(number=n) for n in range(fed + 100, fed + 200)])
        await eventually(lambda: len(set(rig.numbers())) >= fed + 200)
    assert set(rig.numbers()) == set(range(fed + 200))
    assert await rig.committed() == await rig.ends()


async def test_a_static_member_goes_on_where_it_was_killed(make: Callable[..., Rig]) -> None:
    rig = make()
    await rig.create()
    for start, end in ((0, signal.SIGKILL), (20, signal.SIGTERM), (40, signal.SIGTERM)):
        await rig.feed([Note(number=n) for n in range(start, start + 20)])
        member = await rig.worker("member-1")
        await eventually(lambda last=start + 20: set(rig.numbers()) == set(range(last)))  # type: ignore[misc]
        member.send_signal(end)
        assert await asyncio.wait_for(member.wait(), 15) == (0 if end == signal.SIGTERM else -end)
    assert await rig.committed() == await rig.ends()


async def test_a_group_that_refuses_is_joined_when_it_lets_us_in(
    make: Callable[..., Rig], caplog: pytest.LogCaptureFixture
) -> None:
    """Members of another protocol are there until their session ends: as after a change of the host."""
    rig = make()
    await rig.create()
    await rig.feed([Note(number=n) for n in range(20)])
    topic = rig.stage.sources[0].name
    other = AIOKafkaConsumer(
        topic,
        bootstrap_servers=rig.kafka,
        group_id=rig.name,
        enable_auto_commit=False,
        partition_assignment_strategy=(StickyPartitionAssignor,),
    )
    await other.start()
    async with rig.running():
        await eventually(lambda: "InconsistentGroupProtocolError" in caplog.text)
        assert rig.numbers() == []
        await other.stop()
        await eventually(lambda: len(rig.numbers()) == 20)


async def test_a_broker_that_is_away_is_waited_for(make: Callable[..., Rig], tmp_path: Path) -> None:
    rig = make()
    broker = EmbeddedKafka(tmp_path / "broker")
    await asyncio.to_thread(broker.start)
    try:
        rig.kafka, rig.producer = broker.bootstrap, Producer(broker.bootstrap)
        await rig.create()
        await rig.feed([Note(number=n) for n in range(10)])
        await asyncio.to_thread(broker.stop)
        async with rig.running():
            await asyncio.to_thread(broker.start)
            await eventually(lambda: set(rig.numbers()) == set(range(10)))
            await asyncio.to_thread(broker.restart)
            await rig.feed([Note(number=n) for n in range(10, 20)])
            await eventually(lambda: set(rig.numbers()) == set(range(20)))
            await asyncio.to_thread(broker.stop)
    finally:
        await asyncio.to_thread(broker.kill)


async def test_stops_in_time_without_a_broker(make: Callable[..., Rig], unused_tcp_port: int) -> None:
    async with make().running(f"127.0.0.1:{unused_tcp_port}"):
        await asyncio.sleep(0)


async def test_no_port_is_opened(make: Callable[..., Rig]) -> None:
    rig = make()
    await rig.create()
    await rig.feed([Note(number=1)])
    before = _listening()
    async with rig.running():
        await eventually(lambda: rig.numbers() == [1])
        assert _listening() == before


def _listening() -> set[str]:
    """The inodes of this process's listening TCP sockets (proc(5): state 0A)."""
    listening = {
        line.split()[9]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/self/net/{table}").read_text().splitlines()[1:]
        if line.split()[3] == "0A"
    }
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            links.append(os.readlink(entry))
        except OSError:
            continue
    return {link for link in links if link.removeprefix("socket:[").removesuffix("]") in listening}
