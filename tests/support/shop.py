"""A workspace with one account of each channel, for tests of the doors."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from contracts.ids import workspace_id
from contracts.workspace import Account, Category, Department, Store, Workspace
from runtime.postgres import Database
from runtime.settings import Settings
from sinks.postgres.config_store import ConfigStore
from tests.support.system import Broker, Dsns

SHOP = Workspace(
    slug="shop",
    name="Shop",
    stores=(Store(id="a", name="Shop A"),),
    departments=(
        Department(id="billing", name="Billing & returns", calendar="std", sla="std"),
        Department(id="backroom", name="Backroom", calendar="std", sla="std", public=False),
    ),
    categories=(Category(path="Billing/Invoices", department="billing"),),
    accounts=(
        Account(channel="webform", id="contact", store="a", region="PL", origins=("https://shop.example",)),
        Account(channel="email", id="support", store="a", address="support@shop.example"),
        Account(channel="telegram", id="bot", store="a"),
    ),
)
WORKSPACE = workspace_id(SHOP.slug)


async def configure(database: Dsns, config: Workspace = SHOP, version: str = "v1") -> None:
    async with Database(database.system, max_size=1) as connection:
        await ConfigStore(connection).apply(
            config, version, by="test", effective_from=datetime(2026, 1, 1, tzinfo=UTC)
        )


def settings(broker: Broker, database: Dsns, data: Path, **changes: Any) -> Settings:
    """Settings of a door for the shop. One sender stands for many here, so nobody is diverted for sending too much."""
    base = Settings(
        data=data,
        kafka=broker.bootstrap,
        postgres=database.app,
        postgres_system=database.system,
        workspace=SHOP.slug,
        gateway_port=0,
        sender_burst=1_000_000,
    )
    return msgspec.structs.replace(base, **changes)
