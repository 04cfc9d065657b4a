"""A running desk on a database of its own, and the tickets of a small shop."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from contracts.ids import message_id, ticket_id, workspace_id
from contracts.ticket import Deadline, Ticket
from contracts.workspace import Agent, Category, Department, Workspace
from desk.auth import create_key
from desk.service import DeskService
from router.sweep import Sweep
from runtime.clock import Clock
from runtime.postgres import Database
from runtime.settings import Settings
from sinks.audit import GENESIS, entry_hash
from sinks.postgres.config_store import ConfigStore
from sinks.postgres.rows import StoredTicket
from sinks.postgres.ticket_store import AuditRow, Writes
from sinks.postgres.ticket_writes import write
from tests.support.system import Dsns

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
SHOP = Workspace(
    slug="shop",
    name="Shop",
    departments=(
        Department(id="support", name="Support", calendar="std", sla="std", members=("ann", "cem")),
        Department(id="returns", name="Returns", calendar="std", sla="std", members=("ann", "ben")),
    ),
    categories=(
        Category(path="Printers", department="support", members=("ann",)),
        Category(path="Invoices", department="support", members=("cem",)),
    ),
    agents=(
        Agent(id="ann", name="Ann"),
        Agent(id="ben", name="Ben"),
        Agent(id="cem", name="Cem"),
        Agent(id="lea", name="Lea", role="lead"),
    ),
)


@dataclass(frozen=True, slots=True)
class Desk:
    """A running desk, and the way round it for tests: the store itself."""

    database: Database
    url: str

    async def client(self, agent: str, role: Any = "agent", config: Workspace = SHOP) -> httpx.AsyncClient:
        key = await create_key(self.database, workspace_id(config.slug), agent, role)
        return httpx.AsyncClient(
            base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=30, trust_env=False
        )

    async def configure(self, config: Workspace, version: str = "v1") -> None:
        await ConfigStore(self.database).apply(config, version, by="test", effective_from=LONG_AGO)

    async def sweep(self, now: datetime = NOON) -> None:
        """What the timers do each few seconds, at this moment."""
        await Sweep(self.database, Clock(now), [workspace_id(SHOP.slug)]).tick()

    async def holders(self, *tickets: Ticket) -> list[str | None]:
        """Who has each of these tickets."""
        rows = dict(await self.rows("SELECT number, agent FROM tickets"))
        return [rows[each.number] for each in tickets]

    async def rows(self, query: Any, parameters: Any = None) -> list[Any]:
        return await self.database.fetch([], query, parameters)

    async def add(self, *tickets: Ticket) -> None:
        """Stores tickets as the router leaves them: version 1, with the first row of the trail."""
        writes = Writes()
        for ticket in tickets:
            key = (ticket.workspace, ticket.id)
            head = entry_hash(GENESIS, ticket.id, 1, NOON, "router", "created", b"{}")
            writes.tickets[key] = StoredTicket(ticket, 1, False, head)
            writes.audit.append(AuditRow(*key, 1, NOON, "router", "created", "{}", head))
        async with self.database.transaction() as connection:
            await write(connection, writes)


_numbers = itertools.count(1001)


def ticket(department: str, *, due: timedelta | None = timedelta(hours=3), **changes: Any) -> Ticket:
    """An unassigned ticket of the shop; `due` counts from noon."""
    number = next(_numbers)
    workspace = workspace_id(changes.pop("slug", SHOP.slug))
    opened = message_id(workspace, "webform", "contact", str(number))
    deadline = None
    if due is not None:
        deadline = Deadline(due_at=NOON + due, started_at=NOON, target_seconds=10800, calendar="std")
    return Ticket(
        **{
            "id": ticket_id(workspace, opened),
            "number": number,
            "workspace": workspace,
            "customer": UUID(int=number),
            "trust": "claimed",
            "channel": "webform",
            "account": "contact",
            "department": department,
            "queue": department,
            "priority": "medium",
            "status": "new",
            "deadline": deadline,
            "messages": 1,
            "created_at": NOON,
            "updated_at": NOON,
            **changes,
        }
    )


@asynccontextmanager
async def running_desk(
    database: Dsns,
    config: Workspace = SHOP,
    clock: datetime | None = None,
    reply_secrets: tuple[str, ...] = (),
) -> AsyncIterator[Desk]:
    """Serves the workspace `shop` until the block ends; `clock` stops its time."""
    settings = Settings(
        postgres=database.app,
        workspace="shop",
        desk_port=0,
        erasure_key="07" * 32,
        clock=clock,
        reply_secrets=reply_secrets,
    )
    service = DeskService(settings)
    running = asyncio.create_task(service.run())
    async with Database(database.system) as system:
        desk = Desk(system, f"http://127.0.0.1:{await service.port()}")
        await desk.configure(config)
        yield desk
        await service.stop()
        await running


def numbers(response: httpx.Response) -> list[int]:
    """Of the tickets in a page, in its order."""
    assert response.status_code == 200, response.text
    return [item["ticket"]["number"] for item in response.json()["tickets"]]
