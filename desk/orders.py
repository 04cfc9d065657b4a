"""Orders that shops push or import, for stores whose configuration says `orders: pushed`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from contracts.errors import Refused
from contracts.workspace import Workspace
from identity.canonical import email, phone
from identity.orders.numbers import spelled
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.postgres import order_store
from sinks.postgres.order_store import OrderRow

Word = Annotated[str, msgspec.Meta(max_length=100)]
Time = Annotated[datetime, msgspec.Meta(tz=True)]


class PushedOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An order as the shop has it. `email` and `phone` (with its country code) are whose it is; `updated_at` is the shop's
    time of this state, null: now. States are the shop's own words."""

    number: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    email: Annotated[str, msgspec.Meta(max_length=320)] | None = None
    phone: Word | None = None
    status: Word | None = None
    payment: Word | None = None
    fulfilment: Word | None = None
    total: Annotated[str, msgspec.Meta(pattern=r"^-?\d{1,15}(\.\d{1,6})?$")] | None = None
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}$")] | None = None
    placed_at: Time | None = None
    updated_at: Time | None = None


class OrdersStored(msgspec.Struct, frozen=True, kw_only=True):
    """`stored`: how many are new or newer than what was there."""

    stored: int


class Orders:
    """The desk's use case."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def push(
        self,
        workspace: UUID,
        config: Workspace,
        store: str,
        orders: Sequence[PushedOrder],
        region: str | None,
    ) -> OrdersStored:
        """Stores what is new. Sent again, or late, it changes nothing. `region` (ISO 3166): of telephone numbers without a
        country code. Raises `Refused` with 422 for a store that is not there, or whose orders are known elsewhere."""
        _checked(config, store)
        now = self._clock.now()
        rows = [_row(workspace, store, order, region, now) for order in orders]
        async with self._database.transaction([workspace]) as connection:
            return OrdersStored(stored=await order_store.put(connection, rows))


def _checked(config: Workspace, named: str) -> None:
    store = next((store for store in config.stores if store.id == named), None)
    if store is None:
        known = ", ".join(store.id for store in config.stores) or "none"
        raise Refused("unknown_store", f"no store {named!r}; known are {known}", status=422, field="store")
    if store.orders != "pushed":
        fix = f"set `orders: pushed` for store {named!r} in the configuration"
        raise Refused("orders_elsewhere", fix, status=422, field="store")


def _row(workspace: UUID, store: str, order: PushedOrder, region: str | None, now: datetime) -> OrderRow:
    """What is no address and no number identifies nobody: the order is still found by its own number."""
    return OrderRow(
        workspace,
        store,
        spelled(order.number),
        email(order.email) if order.email else None,
        phone(order.phone, region) if order.phone else None,
        order.status,
        order.payment,
        order.fulfilment,
        order.total,
        order.currency,
        order.placed_at,
        order.updated_at or now,
    )
