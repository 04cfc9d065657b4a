"""Orders that shops push to us. `put` works in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from contracts.resolved import Order
from runtime.postgres import Database
from sinks.postgres.sql import columns, queries


class OrderRow(NamedTuple):
    """One order of a store. `updated_at`: the shop's time of this state."""

    workspace: UUID
    store: str
    number: str
    email: str | None
    phone: str | None
    status: str | None
    payment: str | None
    fulfilment: str | None
    total: str | None
    currency: str | None
    placed_at: datetime | None
    updated_at: datetime

    @property
    def order(self) -> Order:
        return Order(
            number=self.number,
            status=self.status,
            store=self.store,
            payment=self.payment,
            fulfilment=self.fulfilment,
            total=self.total,
            currency=self.currency,
            placed_at=self.placed_at,
        )


async def put(connection: AsyncConnection[TupleRow], rows: Iterable[OrderRow]) -> int:
    """Adds orders and renews those that are there, unless what is there is newer. Returns how many were written. Of two
    rows of one order the newer counts."""
    newest = {row[:3]: row for row in sorted(rows, key=lambda row: row.updated_at)}
    ordered = [newest[key] for key in sorted(newest)]
    if not ordered:
        return 0
    cursor = await connection.execute(queries("orders")["put"], columns(OrderRow._fields, ordered))
    return cursor.rowcount


async def find(
    database: Database, workspace: UUID, store: str, asked: Sequence[tuple[str, str]], most: int
) -> list[tuple[int, OrderRow]]:
    """Orders of each pair of kind (`number`, `email`, `phone`) and value, newest first, with the pair's place."""
    arrays = columns(("kinds", "values"), asked)
    parameters = arrays | {"workspace": workspace, "store": store, "most": most}
    rows = await database.look_up([workspace], queries("orders")["find"], parameters)
    return [(place - 1, OrderRow(*row)) for place, *row in rows]
