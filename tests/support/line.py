"""Identity and router in this process on a real Postgres, one batch after the other, and everything that is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import psycopg
from psycopg import sql

from contracts.base import decoder, encode
from contracts.inbound import InboundMessage
from contracts.resolved import ResolvedMessage
from contracts.topics import INBOUND, RESOLVED
from identity.tombstones import Tombstones
from identity.worker import Identity
from router.worker import Router
from runtime.clock import Clock
from runtime.hosts.memory import MemoryProducer
from runtime.postgres import Database
from runtime.stage import Batch, Delivery, Outcome, Record
from sinks.postgres.config_store import ConfigStore, WorkspaceCache
from tests.support.routing import NOW
from tests.support.system import Dsns

_resolved = decoder(ResolvedMessage)


class Line:
    """The two stages. `inbound` and `resolved` are the topics between them: what was ever on them."""

    def __init__(self, database: Database, clock: Clock, tombstones: Tombstones) -> None:
        self._producer = MemoryProducer()
        config = ConfigStore(database)
        cache = WorkspaceCache(config, clock)
        self._identity = Identity(database, self._producer, cache, tombstones=tombstones)
        self._router = Router(database, config, cache, clock)
        self._offsets = count()
        self.inbound: list[Record] = []
        self.resolved: list[Record] = []

    async def take(self, *messages: InboundMessage) -> list[Outcome]:
        """New records of these messages, through both stages."""
        records = [Record(INBOUND.name, 0, next(self._offsets), b"k", encode(one)) for one in messages]
        self.inbound += records
        return await self.route(await self.resolve(records, messages))

    async def resolve(
        self, records: Iterable[Record], messages: Iterable[InboundMessage]
    ) -> list[Delivery[ResolvedMessage]]:
        """What identity makes of records."""
        batch = Batch([Delivery(record, one) for record, one in zip(records, messages, strict=True)])
        await self._identity.run(batch)
        sent, self._producer.sent = self._producer.sent, []
        made = [
            Record(RESOLVED.name, 0, len(self.resolved) + place, out.key, out.value)
            for place, out in enumerate(sent)
        ]
        self.resolved += made
        return [Delivery(record, _resolved.decode(record.value or b"")) for record in made]

    async def route(self, deliveries: list[Delivery[ResolvedMessage]]) -> list[Outcome]:
        """What the router makes of resolved messages."""
        return await self._router.run(Batch(deliveries))

    async def replay(self) -> list[Outcome]:
        """Everything that was ever accepted, once more, from the same records."""
        inbound = decoder(InboundMessage)
        messages = [inbound.decode(record.value or b"") for record in self.inbound]
        return await self.route(await self.resolve(self.inbound, messages))


@asynccontextmanager
async def line_of(dsns: Dsns, tombstones: Tombstones, clock: Clock | None = None) -> AsyncIterator[Line]:
    async with Database(dsns.app, max_size=2) as database:
        yield Line(database, clock or Clock(NOW), tombstones)


def stored(dsns: Dsns) -> dict[str, list[str]]:
    """Every row of every table of the schema, as text; bytes as letters where they are any."""
    found: dict[str, list[str]] = {}
    with psycopg.connect(dsns.owner) as owner:
        owner.execute("SET bytea_output = 'escape'")
        tables = owner.execute(
            "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'p') "
            "AND c.relnamespace = 'public'::regnamespace ORDER BY 1"
        )
        for (table,) in tables.fetchall():
            query = sql.SQL("SELECT t::text FROM {} t ORDER BY 1").format(sql.Identifier(table))
            rows: list[Any] = owner.execute(query).fetchall()
            found[table] = [row for (row,) in rows]
    return found
