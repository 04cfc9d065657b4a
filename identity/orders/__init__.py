"""Where orders are known. Every adapter is listed here, once, under the name that a store's configuration has."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from identity.orders.guarded import Guarded
from identity.orders.pushed import Pushed
from identity.orders.shopify import Shopify
from identity.orders.source import OrderSource
from runtime.postgres import Database
from runtime.settings import Settings

ADAPTERS: Mapping[str, Callable[[Settings, Database], OrderSource]] = {
    "pushed": lambda settings, database: Pushed(database),
    "shopify": lambda settings, database: Guarded(Shopify(settings.shops), settings.orders_timeout_ms / 1000),
}


def sources(settings: Settings, database: Database) -> dict[str, OrderSource]:
    """One of each, for the length of a process."""
    return {name: build(settings, database) for name, build in ADAPTERS.items()}
