"""Identity and router, one after the other on a real database, without a broker between them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count

import msgspec

from contracts.base import decoder, encode
from contracts.inbound import InboundMessage
from contracts.resolved import ResolvedMessage
from contracts.ticket import TicketEvent
from contracts.topics import INBOUND, RESOLVED
from identity.orders.source import OrderSource
from identity.worker import Identity
from router.worker import Router
from runtime.clock import Clock
from runtime.hosts.memory import MemoryProducer
from runtime.postgres import Database
from runtime.stage import Batch, Delivery, Done, Drop, Record
from sinks.postgres.config_store import ConfigStore, WorkspaceCache
from tests.support.routing import NOW
from tests.support.system import Dsns

_resolved = decoder(ResolvedMessage)
_events = decoder(TicketEvent)
_offsets = count()


class Stages:
    """`now` may be moved."""

    def __init__(self, database: Database, orders: Mapping[str, OrderSource]) -> None:
        self.now = NOW
        self._database = database
        self._producer = MemoryProducer()
        config = ConfigStore(database)
        self._workspaces = WorkspaceCache(config, Clock(NOW))
        self._config = config
        self._identity = Identity(database, self._producer, self._workspaces, orders)

    async def resolve(self, *messages: InboundMessage) -> list[ResolvedMessage]:
        """One batch through identity."""
        inbound = Batch([_delivery(INBOUND.name, one) for one in messages])
        assert await self._identity.run(inbound) == [Done() for _ in messages]
        sent, self._producer.sent = self._producer.sent, []
        return [_resolved.decode(out.value) for out in sent if out.topic == RESOLVED.name]

    async def take(self, *messages: InboundMessage) -> list[TicketEvent]:
        """One batch through both; the events that the outbox got for it."""
        before = {row[0] for row in await self._outbox()}
        resolved = await self.resolve(*messages)
        router = Router(self._database, self._config, self._workspaces, Clock(self.now))
        outcomes = await router.run(Batch([_delivery(RESOLVED.name, one) for one in resolved]))
        assert all(isinstance(outcome, Done | Drop) for outcome in outcomes), outcomes
        return [_events.decode(payload) for seq, payload in await self._outbox() if seq not in before]

    async def _outbox(self) -> list[tuple[int, bytes]]:
        query = "SELECT seq, payload FROM outbox WHERE aggregatetype = 'ticket' ORDER BY seq"
        return [(row[0], bytes(row[1])) for row in await self._database.fetch((), query)]


def _delivery(topic: str, message: msgspec.Struct) -> Delivery:  # type: ignore[type-arg]
    return Delivery(Record(topic, 0, next(_offsets), b"key", encode(message)), message)  # type: ignore[type-var]


@asynccontextmanager
async def stages(dsns: Dsns, orders: Mapping[str, OrderSource] | None = None) -> AsyncIterator[Stages]:
    async with Database(dsns.system, max_size=2) as database:
        yield Stages(database, orders or {})
