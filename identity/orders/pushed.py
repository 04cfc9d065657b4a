"""Orders that shops push or import: a table of ours, so that nothing is remote about them."""

from __future__ import annotations

from collections.abc import Sequence

from identity.orders.source import MOST_ORDERS, Answers, Asked, ShopOrder, StoreKey
from runtime.postgres import Database
from sinks.postgres import order_store


class Pushed:
    """Raises `Transient` while Postgres is away, like all of the stage's own reads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, store: StoreKey, asked: Sequence[Asked]) -> Answers:
        """One statement, whatever is asked."""
        found: dict[Asked, list[ShopOrder]] = {one: [] for one in asked}
        workspace, name = store
        rows = await order_store.find(self._database, workspace, name, asked, MOST_ORDERS)
        for number, row in rows:
            found[asked[number]].append(ShopOrder(row.order, row.email, row.phone))
        return found

    async def close(self) -> None:
        """The pool is the stage's."""
