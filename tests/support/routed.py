"""The router on a real database, without Kafka: messages of known customers in, rows out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec

from contracts import ids
from contracts.inbound import InboundMessage
from contracts.resolved import ResolvedMessage
from contracts.topics import RESOLVED
from contracts.workspace import Workspace
from router.worker import Router
from runtime.clock import Clock
from runtime.postgres import Database
from runtime.stage import Batch, Delivery, Outcome, Record
from sinks.config_files import version
from sinks.postgres import identity_store
from sinks.postgres.config_store import ConfigStore, WorkspaceCache
from sinks.postgres.identity_rows import CustomerRow
from tests.support.routing import NOW, WORKSPACE, resolved
from tests.support.system import Dsns

REPLY_SECRET = "reply-secret"


class Routed:
    """One router process' worth. `take` routes a batch as the host would."""

    def __init__(self, database: Database, system: Database) -> None:
        self.database = database
        self.system = system
        self.clock = Clock(NOW)
        self.config = ConfigStore(database)
        self.router = self.another()
        self._offset = 0

    def another(self) -> Router:
        """A router as it is after a restart."""
        cache = WorkspaceCache(self.config, self.clock)
        return Router(self.database, self.config, cache, self.clock, (REPLY_SECRET,))

    async def configure(self, config: Workspace) -> None:
        at = NOW - timedelta(days=1)
        await ConfigStore(self.system).apply(config, version(config), "test", at)

    async def take(self, *messages: InboundMessage, trust: str = "channel") -> list[Outcome]:
        """Routes these messages in one batch; the sender's first handle is who the customer is."""
        return await self.router.run(await self.batch(messages, trust))

    async def batch(
        self, messages: Sequence[InboundMessage], trust: str = "channel"
    ) -> Batch[ResolvedMessage]:
        """The batch that `take` routes, with its customers stored as identity leaves them."""
        rows = {self._customer(m).customer: self._customer(m) for m in messages}
        async with self.database.transaction([WORKSPACE]) as connection:
            await identity_store.write(connection, list(rows.values()), [])
        deliveries = []
        for message in messages:
            self._offset += 1
            link = resolved(message, self._customer(message).customer, trust)
            at = msgspec.structs.replace(link.position, offset=self._offset)
            link = msgspec.structs.replace(link, position=at)
            deliveries.append(Delivery(Record(RESOLVED.name, 0, self._offset, b"", b""), link))
        return Batch(deliveries)

    def _customer(self, message: InboundMessage) -> CustomerRow:
        handle = message.sender.handles[0]
        identity = ids.customer_id(WORKSPACE, True, handle.kind, handle.value.lower())
        return CustomerRow(WORKSPACE, identity, handle.kind, handle.value.lower(), True, None, NOW)

    async def rows(self, query: str, *parameters: Any) -> list[Any]:
        return await self.system.fetch([WORKSPACE], query, parameters or None)

    async def sent(self, aggregate: str) -> list[Any]:
        """Payloads of the outbox of this kind, in order."""
        query = "SELECT payload FROM outbox WHERE aggregatetype = %s ORDER BY seq"
        return [msgspec.json.decode(row[0]) for row in await self.rows(query, aggregate)]

    async def ticket_of(self, message: InboundMessage) -> UUID:
        found = await self.rows("SELECT ticket_id FROM messages WHERE message_id = %s", message.message_id)
        ticket: UUID = found[0][0]
        return ticket


@asynccontextmanager
async def routed(dsns: Dsns, config: Workspace) -> AsyncIterator[Routed]:
    """With this configuration in force."""
    async with Database(dsns.app) as app, Database(dsns.system, max_size=2) as system:
        made = Routed(app, system)
        await made.configure(config)
        yield made
