"""The guard, under the memory host: what becomes of a record whatever the stage does about it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar
from uuid import UUID

import pytest

from contracts.base import Payload, encode
from contracts.errors import Poison, Transient
from contracts.topics import Topic
from runtime.guard import EXIT_FAULT
from runtime.hosts.memory import MemoryHost
from runtime.incidents import MemoryIncidents
from runtime.stage import Batch, Done, Outcome, Record, Reject, Stage

SOURCE = "numbers"


class Number(Payload, frozen=True, kw_only=True):
    number: int


class Numbers(Stage[Number]):
    """Does as it is told about each number, and notes the batches it has finished."""

    name: ClassVar[str] = "identity"
    sources: ClassVar[tuple[Topic, ...]] = (Topic(SOURCE, Number, "none", 1, "tests", "tests"),)

    def __init__(self, acts: dict[int, Exception | Outcome], away: int = 0) -> None:
        self.acts = acts
        self.away = away
        self.batches: list[list[int]] = []

    async def run(self, batch: Batch[Number]) -> list[Outcome]:
        if self.away:
            self.away -= 1
            raise Transient("away", retry_after=0.001)
        acts = [self.acts.get(delivery.message.number, Done()) for delivery in batch]
        for act in acts:
            if isinstance(act, Exception):
                raise act
        self.batches.append([delivery.message.number for delivery in batch])
        return [act for act in acts if not isinstance(act, Exception)]

    @property
    def finished(self) -> list[int]:
        return [number for batch in self.batches for number in batch]


def records(count: int, partitions: int = 1) -> list[Record]:
    """Number n is the record n // partitions of partition n % partitions."""
    return [
        Record(SOURCE, n % partitions, n // partitions, b"key", encode(Number(number=n)), (("h", b"v"),))
        for n in range(count)
    ]


async def test_poison_is_found_by_halves_and_parked_with_its_bytes() -> None:
    stage = Numbers({5: Poison("poisonous", "five"), 11: Poison("poisonous", "eleven")})
    host = MemoryHost(stage, given := records(16))
    await host.run()
    assert stage.finished == [n for n in range(16) if n not in (5, 11)]
    assert [(letter.detail, letter.raw) for letter in host.parked] == [
        ("five", given[5].value),
        ("eleven", given[11].value),
    ]
    letter = host.parked[0]
    assert (letter.position, letter.key, letter.headers) == (given[5].position, b"key", {"h": "v"})
    assert host.done == {(SOURCE, 0): 16}


async def test_a_letter_names_the_workspace_of_its_key_though_the_value_cannot_be_read() -> None:
    workspace = UUID("0190a2b0-0000-7000-8000-000000000001")
    bad = [
        Record(SOURCE, 0, at, key, b"{") for at, key in enumerate((f"{workspace}|a|b".encode(), b"key", None))
    ]
    host = MemoryHost(Numbers({}), bad)
    await host.run()
    assert [letter.workspace for letter in host.parked] == [workspace, None, None]


async def test_the_same_failure_is_the_same_dead_letter() -> None:
    first, again = (MemoryHost(Numbers({1: Reject("unwanted")}), records(3)) for _ in range(2))
    await first.run()
    await again.run()
    assert [letter.dead_letter_id for letter in first.parked] == [
        letter.dead_letter_id for letter in again.parked
    ]


async def test_bytes_that_are_no_payload_are_parked() -> None:
    given = records(3)
    given[1] = Record(SOURCE, 0, 1, None, b'{"number": "one"}')
    stage = Numbers({})
    host = MemoryHost(stage, given)
    await host.run()
    assert stage.finished == [0, 2]
    assert [(letter.reason, letter.raw) for letter in host.parked] == [("undecodable", b'{"number": "one"}')]


async def test_transient_is_tried_again_until_it_works() -> None:
    stage = Numbers({}, away=3)
    host = MemoryHost(stage, records(4))
    await host.run()
    assert stage.batches == [[0, 1, 2, 3]]
    assert host.parked == []


async def test_a_record_that_ended_the_process_three_times_is_parked() -> None:
    stage, incidents, given = Numbers({6: ZeroDivisionError("boom")}), MemoryIncidents(), records(10)
    for start in range(3):
        host = MemoryHost(stage, given, incidents)
        with pytest.raises(SystemExit) as ended:
            await host.run()
        assert ended.value.code == EXIT_FAULT, f"start {start}"
        assert host.done == {}
    assert [(crash.first, crash.last) for _, crash in incidents.noted] == [(0, 9), (6, 6), (6, 6)]
    last = MemoryHost(stage, given, incidents)
    await last.run()
    assert [(letter.reason, letter.position) for letter in last.parked] == [
        ("crashed_thrice", given[6].position)
    ]
    assert last.parked[0].traceback_sha256 == incidents.noted[-1][1].traceback_sha256
    assert sorted(set(stage.finished)) == [0, 1, 2, 3, 4, 5, 7, 8, 9]


async def test_suspects_of_a_crash_run_alone_and_in_their_place() -> None:
    incidents, given = MemoryIncidents(), records(6)
    with pytest.raises(SystemExit):
        await MemoryHost(Numbers({3: ValueError()}), given[2:4], incidents).run()
    stage = Numbers({})
    await MemoryHost(stage, given, incidents).run()
    assert stage.batches == [[0, 1], [2], [3], [4, 5]]


async def test_too_many_failures_stop_their_partition_only() -> None:
    """Beyond a twentieth of at least two hundred, the fuse blows and the process ends; started again, it goes on with
    the other partitions."""
    rejected: dict[int, Exception | Outcome] = {
        n: Reject("unwanted") for n in range(0, 600, 2) if n % 16 == 0
    }
    stage, incidents, given = Numbers(rejected), MemoryIncidents(), records(600, partitions=2)
    with pytest.raises(SystemExit) as ended:
        await MemoryHost(stage, given, incidents, batch=100).run()
    assert ended.value.code == EXIT_FAULT
    assert await incidents.open_fuses("identity") == {(SOURCE, 0)}
    again = MemoryHost(stage, given, incidents, batch=100)
    await again.run()
    assert again.done == {(SOURCE, 1): 300}


async def test_a_few_failures_blow_no_fuse() -> None:
    stage = Numbers({n: Reject("unwanted") for n in range(0, 600, 40)})
    host = MemoryHost(stage, records(600), incidents := MemoryIncidents())
    await host.run()
    assert incidents.fuses == {}
    assert len(host.parked) == 15


async def test_a_stage_that_parks_nothing_passes_over_what_fails() -> None:
    stage, given = Numbers({3: Poison("poisonous"), 5: Reject("unwanted")}), records(8)
    stage.parks = False  # type: ignore[misc]
    broken = replace(given[7], value=b"{rubbish")
    host = MemoryHost(stage, [*given[:7], broken])
    await host.run()
    assert host.parked == []
    assert host.done == {(SOURCE, 0): 8}
    assert stage.finished == [0, 1, 2, 4, 5, 6]
