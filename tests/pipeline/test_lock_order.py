"""Two workers with the same messages in opposite order: one waits for the other, and nothing is written twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec

from contracts import ids
from contracts.base import encode
from contracts.errors import Transient
from contracts.inbound import Handle, InboundMessage, Sender
from contracts.resolved import CustomerLink, Position, ResolvedMessage
from contracts.topics import RESOLVED
from contracts.workspace import Agent, Department
from router.handback import end_shifts
from router.offers import offer
from router.ruleset import RuleSet
from router.worker import Router
from runtime.clock import Clock
from runtime.postgres import Database
from runtime.stage import Batch, Delivery, Record
from sinks.config_files import load_folder, version
from sinks.postgres import identity_store
from sinks.postgres.config_store import ConfigStore, WorkspaceCache
from sinks.postgres.identity_rows import CustomerRow
from sinks.postgres.staff_store import set_presence
from tests.support.system import Dsns

DEMO = Path(__file__).resolve().parents[2] / "deploy" / "config" / "demo"
WORKSPACE = ids.workspace_id("demo")
NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
ROUNDS, SIZE, CHATS, GROUPS = 5, 60, 7, 10


async def test_opposite_batches_never_deadlock_past_a_retry(database: Dsns) -> None:
    async with Database(database.system, max_size=1) as system:
        config = load_folder(DEMO)
        await ConfigStore(system).apply(config, version(config), "test", NOW - timedelta(days=1))
        async with system.transaction([WORKSPACE]) as connection:
            # As identity leaves them: the customer's row is what serialises a conversation.
            await identity_store.write(connection, [_customer(chat) for chat in range(CHATS)], [])
    async with Database(database.app) as one, Database(database.app) as other:
        for number in range(ROUNDS):
            forth = [_delivery(number, place) for place in range(SIZE)]
            back = [_delivery(number, place, offset=1_000_000) for place in reversed(range(SIZE))]
            await asyncio.gather(_router(one).run(Batch(forth)), _router(other).run(Batch(back)))
        stored = await one.fetch([WORKSPACE], "SELECT count(*), count(DISTINCT ticket_id) FROM messages")
        doubles = await one.fetch([WORKSPACE], "SELECT count(*) FROM duplicates")
        versions = await one.fetch([WORKSPACE], "SELECT count(*) FROM audit")
    assert stored == [(ROUNDS * SIZE, CHATS)]
    assert doubles == [(ROUNDS * SIZE,)]
    assert versions == [(ROUNDS * SIZE,)]


async def test_two_people_who_begin_one_conversation_at_once_begin_one_ticket(database: Dsns) -> None:
    """A group: its people are different customers, whose locks say nothing about each other."""
    async with Database(database.system, max_size=1) as system:
        config = load_folder(DEMO)
        await ConfigStore(system).apply(config, version(config), "test", NOW - timedelta(days=1))
        async with system.transaction([WORKSPACE]) as connection:
            await identity_store.write(connection, [_customer(chat) for chat in range(2)], [])
    async with Database(database.app) as one, Database(database.app) as other:
        for group in range(GROUPS):
            said = [_delivery(0, group * CHATS + person, group=f"-{group}") for person in range(2)]
            routers = (_router(one), _router(other))
            runs = (router.run(Batch([message])) for router, message in zip(routers, said, strict=True))
            await asyncio.gather(*runs)
        stored = await one.fetch([WORKSPACE], "SELECT count(*), count(DISTINCT ticket_id) FROM messages")
    assert stored == [(2 * GROUPS, GROUPS)]


def _customer(chat: int) -> CustomerRow:
    return CustomerRow(WORKSPACE, _customer_id(chat), "telegram_user", str(chat), True, None, NOW)


def _customer_id(chat: int) -> UUID:
    return ids.customer_id(WORKSPACE, True, "telegram_user", str(chat))


def _router(database: Database) -> Router:
    clock = Clock(NOW)
    store = ConfigStore(database)
    return Router(database, store, WorkspaceCache(store, clock), clock)


def _delivery(
    round_: int, place: int, offset: int = 0, group: str | None = None
) -> Delivery[ResolvedMessage]:
    chat, number = place % CHATS, round_ * SIZE + place
    message = InboundMessage(
        message_id=ids.message_id(WORKSPACE, "telegram", "demo-bot", f"{chat}:{number}"),
        workspace=WORKSPACE,
        channel="telegram",
        account="demo-bot",
        provider_id=f"{chat}:{number}",
        conversation_key=group or str(chat),
        sender=Sender(handles=(Handle(kind="telegram_user", value=str(chat), proof="channel"),)),
        text="hello",
        received_at=NOW,
    )
    resolved = ResolvedMessage(
        workspace=WORKSPACE,
        message_id=message.message_id,
        position=Position(topic="frontdesk.inbound.v1", partition=0, offset=offset + number),
        inbound=msgspec.Raw(encode(message)),
        customer=CustomerLink(
            id=ids.customer_id(WORKSPACE, True, "telegram_user", str(chat)), trust="channel"
        ),
    )
    return Delivery(Record(RESOLVED.name, 0, offset + number, b"", b""), resolved)


async def test_people_and_the_router_in_opposite_orders_never_deadlock_past_a_retry(database: Dsns) -> None:
    """Offers and ends of shifts take many tickets, then turns, then agents, while the router takes turns and agents."""
    config = msgspec.structs.replace(
        load_folder(DEMO),
        departments=(
            Department(
                id="support",
                name="Support",
                calendar="std",
                sla="standard",
                members=("ann", "cem"),
                shift_end="return_to_queue",
            ),
        ),
        categories=(),
        rules=(),
        agents=(Agent(id="ann", name="Ann"), Agent(id="cem", name="Cem", capacity=5)),
        accounts=(),
        default_department="support",
    )
    rules = RuleSet(config, version(config))
    async with Database(database.system, max_size=1) as system:
        await ConfigStore(system).apply(config, version(config), "test", NOW - timedelta(days=1))
    async with Database(database.app, max_size=8) as one, Database(database.app, max_size=8) as other:
        await asyncio.gather(
            *(
                _patiently(_router(one).run, Batch([_stranger(n * 10 + m) for m in range(10)]))
                for n in range(8)
            ),
            *(_patiently(_comes_and_goes, other, rules, agent) for agent in ("ann", "cem", "ann", "cem")),
        )
        await offer(other, WORKSPACE, rules, NOW)
        rows = await one.fetch(
            [WORKSPACE], "SELECT count(*), count(*) FILTER (WHERE version > 1) FROM tickets"
        )
        gaps = await one.fetch(
            [WORKSPACE], "SELECT ticket_id FROM audit GROUP BY ticket_id HAVING max(version) <> count(*)"
        )
    assert rows[0][0] == 80
    assert rows[0][1] > 0, "nothing was ever handed back or offered: the two never met"
    assert gaps == []


async def _patiently(act: Callable[..., Awaitable[object]], *arguments: object) -> None:
    """A race that is lost is run once more, as every writer does."""
    for last in (False, False, True):
        try:
            await act(*arguments)
            return
        except Transient:
            if last:
                raise


async def _comes_and_goes(database: Database, rules: RuleSet, agent: str) -> None:
    for _ in range(2):
        for presence in ("offline", "present"):
            async with database.transaction([WORKSPACE]) as connection:
                await set_presence(connection, WORKSPACE, agent, presence, NOW)
            await end_shifts(database, WORKSPACE, rules, NOW)
            await offer(database, WORKSPACE, rules, NOW)


def _stranger(number: int) -> Delivery[ResolvedMessage]:
    """A message of somebody new, on a ticket of its own."""
    delivery = _delivery(99, number, offset=5_000_000)
    message = msgspec.structs.replace(
        msgspec.json.decode(bytes(delivery.message.inbound), type=InboundMessage),
        conversation_key=f"n{number}",
    )
    resolved = msgspec.structs.replace(
        delivery.message,
        inbound=msgspec.Raw(encode(message)),
        customer=CustomerLink(id=UUID(int=number + 1), trust="channel"),
    )
    return Delivery(delivery.record, resolved)
