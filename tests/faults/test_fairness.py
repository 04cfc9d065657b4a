"""Turns stay fair while workers are killed: whoever looks, whenever, nobody is more than one ticket ahead."""

from __future__ import annotations

import asyncio
import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec

from contracts import ids
from contracts.base import encode
from contracts.inbound import InboundMessage
from contracts.resolved import CustomerLink, Position, ResolvedMessage
from contracts.topics import INBOUND, RESOLVED
from contracts.workspace import Agent, Department, Workspace
from runtime.kafka import Outgoing, Producer
from runtime.postgres import Database
from sinks.config_files import version
from sinks.postgres.config_store import ConfigStore
from tests.support.chain import Chain, wait_for

SOAK = bool(os.environ.get("SOAK"))
SEED = int(os.environ.get("SEED", "7"))
WORKERS, PARTITIONS, COUNT, KILLS = (8, 12, *((5_000, 24) if SOAK else (1_000, 6)))
PEOPLE = ("ann", "ben", "cem", "dee")
WORKSPACE = ids.workspace_id("demo")

_LOAD = "SELECT agent, count(*) FROM tickets GROUP BY agent"


def test_turns_are_fair_at_every_moment_though_workers_die(tmp_path: Path) -> None:
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    with Chain(tmp_path, processes=(), partitions=PARTITIONS) as chain:
        asyncio.run(_configure(chain))
        workers = [f"router-{number}" for number in range(WORKERS)]
        for label in workers:
            chain.start("router", as_=label)
        for label in workers:
            chain.wait_ready(label)
        for part in range(KILLS + 1):
            asyncio.run(_send(chain, part * COUNT // (KILLS + 1), (part + 1) * COUNT // (KILLS + 1)))
            _look(chain)
            if part < KILLS:
                chain.kill(rng.choice(workers))
        wait_for(lambda: sum(_look(chain)) == COUNT, 600, "every ticket has an agent")


def _look(chain: Chain) -> list[int]:
    """Tickets of each agent, at one moment."""
    counts = {str(agent): int(count) for agent, count in chain.rows(_LOAD)}
    held = [counts.pop(agent, 0) for agent in PEOPLE]
    assert counts == {}, counts
    assert max(held) - min(held) <= 1, held
    return held


async def _configure(chain: Chain) -> None:
    config = Workspace(
        slug="demo",
        name="Demo",
        default_department="support",
        departments=(Department(id="support", name="Support", calendar="", sla="", members=PEOPLE),),
        agents=tuple(Agent(id=name, name=name) for name in PEOPLE),
    )
    async with Database(chain.settings.postgres_system, max_size=1) as database:
        since = datetime.now(UTC) - timedelta(minutes=1)
        await ConfigStore(database).apply(config, version(config), "test", since)


async def _send(chain: Chain, first: int, end: int) -> None:
    producer = Producer(chain.settings.kafka)
    await producer.start()
    try:
        await producer.send_all([_record(number) for number in range(first, end)])
    finally:
        await producer.stop()


def _record(number: int) -> Outgoing:
    """A message that opens a ticket, as identity passes it on."""
    message = InboundMessage(
        message_id=ids.message_id(WORKSPACE, "webform", "contact", str(number)),
        workspace=WORKSPACE,
        channel="webform",
        account="contact",
        provider_id=str(number),
        received_at=datetime(2026, 11, 20, 14, tzinfo=UTC),
        text="hello",
    )
    customer = UUID(int=number + 1)
    resolved = ResolvedMessage(
        workspace=WORKSPACE,
        message_id=message.message_id,
        position=Position(topic=INBOUND.name, partition=0, offset=number),
        inbound=msgspec.Raw(encode(message)),
        customer=CustomerLink(id=customer, trust="claimed"),
    )
    return Outgoing(RESOLVED.name, customer.bytes, encode(resolved))
