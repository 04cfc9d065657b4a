"""Identity on a real Postgres: the same person made at once by several workers, batches of any size, and events of nobody."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest

from contracts.base import decoder, encode
from contracts.errors import Transient
from contracts.ids import customer_id, workspace_id
from contracts.inbound import InboundMessage
from contracts.resolved import ResolvedMessage
from contracts.topics import INBOUND, RESOLVED
from identity.audit import differences
from identity.worker import Identity
from router.worker import Router
from runtime.clock import Clock
from runtime.hosts.memory import MemoryProducer
from runtime.postgres import Database
from runtime.stage import Batch, Delivery, Done, Record
from sinks.postgres import identity_store
from sinks.postgres.config_store import ConfigStore, WorkspaceCache
from sinks.postgres.identity_rows import CustomerRow, EventRow
from tests.support.identity import shown
from tests.support.routing import NOW, WORKSPACE, message, workspace
from tests.support.shop import configure
from tests.support.system import Dsns, Server, fresh_database

OTHER = workspace_id("other")
ANN = ("email", "ann@x.example", "verified")
_resolved = decoder(ResolvedMessage)
_inbound = decoder(InboundMessage)
_offsets = count()


class Worker:
    """An identity process with a pool of its own."""

    def __init__(self, database: Database) -> None:
        self._producer = MemoryProducer()
        self._stage = Identity(database, self._producer, WorkspaceCache(ConfigStore(database), Clock(NOW)))

    async def take(self, messages: Iterable[InboundMessage]) -> list[ResolvedMessage]:
        """One batch, again for as long as another worker is in its way, as the guard would have it."""
        batch = Batch([_delivery(one) for one in messages])
        for _ in range(50):
            try:
                await self._stage.run(batch)
            except Transient:
                continue
            sent, self._producer.sent = self._producer.sent, []
            return [_resolved.decode(out.value) for out in sent if out.topic == RESOLVED.name]
        raise AssertionError("another worker is always in the way")


def _delivery(inbound: InboundMessage) -> Delivery[InboundMessage]:
    return Delivery(Record(INBOUND.name, 0, next(_offsets), b"key", encode(inbound)), inbound)


@asynccontextmanager
async def worker(dsns: Dsns) -> AsyncIterator[Worker]:
    async with Database(dsns.app, max_size=1) as database:
        yield Worker(database)


async def rows(dsns: Dsns, query: str) -> list[tuple[Any, ...]]:
    async with Database(dsns.system, max_size=1) as database:
        return await database.fetch((), query)


async def stored(dsns: Dsns) -> list[list[tuple[Any, ...]]]:
    """Everything that identity writes, without the order of the history."""
    tables = {"customers": "", "handles": "", "merges": "", "identity_events": " - 'serial'"}
    return [
        await rows(
            dsns,
            f"SELECT to_jsonb({table}){without} FROM {table} ORDER BY (to_jsonb({table}){without})::text",
        )
        for table, without in tables.items()
    ]


async def rebuilt_otherwise(dsns: Dsns) -> list[str]:
    async with Database(dsns.app, max_size=1) as app:
        return await differences(app, WORKSPACE)


async def test_workers_at_once_make_one_person_of_one_handle(database: Dsns) -> None:
    people, workers = 25, 4

    def messages(of: int) -> list[InboundMessage]:
        """Everybody writes to every worker: by chat, by mail, or with both shown together."""
        chats = [("telegram_user", str(1000 + person), "channel") for person in range(people)]
        mails = [("email", f"p{person}@x.example", "verified") for person in range(people)]
        made = [
            shown(
                f"{of}-{person}", *((chats[person],), (mails[person],), (chats[person], mails[person]))[turn]
            )
            for person in range(people)
            for turn in [(person + of) % 3]
        ]
        random.Random(of).shuffle(made)
        return made

    async def work(of: int) -> list[ResolvedMessage]:
        async with worker(database) as one:
            given = messages(of)
            return [found for at in range(0, people, 5) for found in await one.take(given[at : at + 5])]

    found = [one for batch in await asyncio.gather(*map(work, range(workers))) for one in batch]
    assert len(found) == people * workers
    holders = {
        (kind, value): holder
        for kind, value, holder in await rows(
            database, "SELECT kind, value, customer_id FROM handles WHERE state = 'verified'"
        )
    }
    assert len(holders) == people * 2
    merged = dict(
        await rows(database, "SELECT customer_id, merged_into FROM customers WHERE merged_into IS NOT NULL")
    )
    for one in found:
        assert one.customer is not None
        for handle in _inbound.decode(one.inbound).sender.handles:
            held = holders[(handle.kind, handle.value)]
            assert merged.get(held, held) == merged.get(one.customer.id, one.customer.id)
    assert await rebuilt_otherwise(database) == []
    doubles = "SELECT count(*) FROM handles WHERE state = 'verified' GROUP BY workspace, kind, value HAVING count(*) > 1"
    assert await rows(database, doubles) == []
    founders = "SELECT founding_kind, founding_value, customer_id FROM customers"
    for kind, value, made in await rows(database, founders):
        assert made == customer_id(WORKSPACE, True, kind, value)


def _customer(value: str, of: UUID = WORKSPACE) -> CustomerRow:
    return CustomerRow(of, customer_id(of, True, "email", value), "email", value, True, None, NOW)


def _link(value: str, holder: str, proof: str = "verified", of: UUID = WORKSPACE) -> EventRow:
    held_by, evidence = customer_id(of, True, "email", holder), message(f"{value}{holder}{proof}").message_id
    action = "claimed" if proof == "claimed" else "linked"
    return EventRow(of, evidence, action, held_by, "email", value, proof, NOW, evidence)


async def test_a_verified_handle_has_one_holder_and_the_loser_decides_again(database: Dsns) -> None:
    async with Database(database.app, max_size=1) as app:
        async with app.transaction([WORKSPACE]) as connection:
            await identity_store.write(connection, [_customer("a")], [_link("shared", "a")])
        before = await stored(database)
        with pytest.raises(Transient, match="meanwhile"):
            async with app.transaction([WORKSPACE]) as connection:
                await identity_store.write(connection, [_customer("b")], [_link("shared", "b")])
        assert await stored(database) == before
    duplicate = "INSERT INTO handles SELECT workspace, kind, value, gen_random_uuid(), state, proof, since, evidence FROM handles"
    with psycopg.connect(database.owner) as connection, pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(duplicate)


async def test_a_claim_becomes_a_proof_unless_somebody_else_has_it(database: Dsns) -> None:
    async with Database(database.app, max_size=1) as app:
        claims = [_link("one", "a", "claimed"), _link("two", "a", "claimed"), _link("two", "b")]
        async with app.transaction([WORKSPACE]) as connection:
            await identity_store.write(connection, [_customer("a"), _customer("b")], claims)
        async with app.transaction([WORKSPACE]) as connection:
            await identity_store.write(connection, [], [_link("one", "a")])
        assert await rows(database, "SELECT state, proof FROM handles WHERE value = 'one'") == [
            ("verified", "verified")
        ]
        with pytest.raises(Transient, match="meanwhile"):
            async with app.transaction([WORKSPACE]) as connection:
                await identity_store.write(connection, [], [_link("two", "a")])


async def test_the_holder_after_merges_and_of_claimants_the_earliest(database: Dsns) -> None:
    key = (WORKSPACE, "email", "ann@x.example")
    late = _link(key[2], "late", "claimed")._replace(at=NOW + timedelta(1))
    links = [_link(key[2], "held"), late, _link(key[2], "early", "claimed")]
    async with Database(database.app, max_size=1) as app:
        async with app.transaction([WORKSPACE]) as connection:
            people = [_customer(name) for name in ("held", "late", "early", "root")]
            await identity_store.write(connection, people, links)
        root, early = (customer_id(WORKSPACE, True, "email", name) for name in ("root", "early"))
        with psycopg.connect(database.owner) as owner:
            held = customer_id(WORKSPACE, True, "email", "held")
            owner.execute("UPDATE customers SET merged_into = %s WHERE customer_id = %s", (root, held))
        async with app.transaction([WORKSPACE]) as connection:
            found = await identity_store.holders(connection, [(WORKSPACE, "email", "nobody@x.example"), key])
    assert {row.state: row.customer for row in found} == {"verified": root, "claimed": early}
    assert [row.key for row in found] == [key, key]


async def test_another_workspace_sees_and_writes_nothing(database: Dsns) -> None:
    key = (WORKSPACE, "email", "ann@x.example")
    async with Database(database.app, max_size=1) as app:
        async with app.transaction([WORKSPACE]) as connection:
            await identity_store.write(connection, [_customer("ann")], [_link(key[2], "ann")])
        async with app.transaction([OTHER]) as connection:
            assert await identity_store.holders(connection, [key]) == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with app.transaction([OTHER]) as connection:
                await identity_store.write(connection, [_customer("ben")], [])
        async with app.transaction([OTHER, WORKSPACE]) as connection:
            other = (OTHER, *key[1:])
            await identity_store.write(
                connection, [_customer("ann", OTHER)], [_link(key[2], "ann", of=OTHER)]
            )
            found = await identity_store.holders(connection, [key, other])
    assert {row.key: row.customer for row in found} == {
        wanted: customer_id(wanted[0], True, "email", "ann") for wanted in (key, other)
    }


def _mixed() -> list[InboundMessage]:
    """Claims, proofs and events of few people, some of them twice."""
    chance = random.Random(7)
    handles = [
        *(("email", f"p{n}@x.example", proof) for n in range(4) for proof in ("claimed", "verified")),
        *(("telegram_user", f"77{n}", "channel") for n in range(4)),
        *(("phone", f"+4860110020{n}", "claimed") for n in range(3)),
    ]
    made = [
        shown(
            f"m{number}",
            *chance.sample(handles, chance.randrange(4)),
            kind=chance.choice(["message", "message", "message", "edit", "bounce", "status"]),
            authentication=chance.choice([None, None, None, "fail"]),
            received_at=NOW + timedelta(seconds=chance.randrange(10)),
        )
        for number in range(120)
    ]
    return made + chance.sample(made, 20)


async def test_one_batch_of_many_is_many_batches_of_one_and_again_adds_nothing(
    database: Dsns, postgres: Server, template: str
) -> None:
    messages = _mixed()

    def decided(found: Sequence[ResolvedMessage]) -> list[Any]:
        return [(one.message_id, one.customer, one.suggestions) for one in found]

    async with worker(database) as one:
        together = decided(await one.take(messages))
    assert await rebuilt_otherwise(database) == []
    with fresh_database(postgres, template) as second:
        async with worker(second) as other:
            one_by_one = [found for inbound in messages for found in decided(await other.take([inbound]))]
        assert one_by_one == together
        assert await stored(second) == await stored(database)
    before = await stored(database)
    async with worker(database) as again:
        await again.take(messages)
        await again.take(reversed(messages))
    assert await stored(database) == before


async def test_a_table_that_differs_from_its_history_is_noticed(database: Dsns) -> None:
    chat = ("telegram_user", "777", "channel")
    async with worker(database) as one:
        await one.take([shown("chat", chat), shown("mail", ANN), shown("both", chat, ANN)])
    assert await rebuilt_otherwise(database) == []
    for change, wanted in (
        ("UPDATE handles SET state = 'disputed' WHERE kind = 'email'", "link of email:ann@x.example"),
        ("DELETE FROM handles WHERE kind = 'telegram_user'", "link of telegram_user:777"),
        ("UPDATE customers SET merged_into = NULL", "root of"),
        ("DELETE FROM merges", "merge of"),
    ):
        with psycopg.connect(database.owner) as owner:
            owner.execute(change)
        assert [line for line in await rebuilt_otherwise(database) if line.startswith(wanted)], change


async def test_what_a_crash_kept_from_being_produced_is_produced_the_same(database: Dsns) -> None:
    claim = shown("claim", ("email", "ann@x.example", "claimed"))
    proof = shown("proof", ANN, ("telegram_user", "777", "channel"))
    async with worker(database) as one:
        await one.take([claim])
        first, again = await one.take([proof]), await one.take([proof])
    assert first[0].customer == again[0].customer
    assert first[0].customer is not None
    assert first[0].customer.is_new
    assert (
        [s.reason for s in first[0].suggestions]
        == [s.reason for s in again[0].suggestions]
        == ["claimed_before"]
    )


async def test_events_of_nobody_are_stored_without_a_customer(database: Dsns) -> None:
    await configure(database, workspace())
    nobody = [
        message(f"{kind}-{number}", kind=kind, channel="email", account="support", email=address)
        for kind in ("bounce", "auto_reply", "feedback_report", "read_receipt", "loop", "status", "system")
        for number, address in enumerate(["ann@x.example", None])
    ]
    ann, later = shown("hello", ANN), shown("reply", ANN, kind="auto_reply")
    async with worker(database) as identity:
        resolved = [*await identity.take(nobody), *await identity.take([ann, later])]
    assert [one.customer for one in resolved[: len(nobody)]] == [None] * len(nobody)
    assert await rows(database, "SELECT founding_value FROM customers") == [("ann@x.example",)]
    assert await _routed(database, resolved) == [Done()] * len(resolved)
    found = await rows(database, "SELECT kind, customer_id, ticket_id IS NULL FROM messages")
    holder = customer_id(WORKSPACE, True, "email", "ann@x.example")
    assert sorted(found, key=str) == sorted(
        [(one.kind, None, True) for one in nobody]
        + [("message", holder, False), ("auto_reply", holder, True)],
        key=str,
    )


async def test_a_message_without_a_customer_is_a_fault_and_is_parked(database: Dsns) -> None:
    await configure(database, workspace())
    async with worker(database) as identity:
        (resolved,) = await identity.take([shown("hello", ANN)])
    (outcome,) = await _routed(database, [msgspec.structs.replace(resolved, customer=None)])
    assert getattr(outcome, "reason", None) == "no_customer"
    assert await rows(database, "SELECT FROM messages") == []


async def _routed(dsns: Dsns, resolved: Sequence[ResolvedMessage]) -> list[Any]:
    async with Database(dsns.app, max_size=2) as database:
        store = ConfigStore(database)
        router = Router(database, store, WorkspaceCache(store, Clock(NOW)), Clock(NOW))
        records = [Record(RESOLVED.name, 0, at, b"key", encode(one)) for at, one in enumerate(resolved)]
        return await router.run(Batch([Delivery(*pair) for pair in zip(records, resolved, strict=True)]))
