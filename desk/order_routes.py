"""The desk's route for orders. It only translates; what happens is in `desk/orders.py`. (A dependency that had the name of a
field of the body would turn the caller's mistake into ours: litestar tells them apart by name.)"""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from desk.customer_routes import trusted
from desk.middleware import DeskRequest
from desk.orders import Orders, OrdersStored, PushedOrder

_MOST = 500
_BODY_BYTES = 512 * 1024


class OrderPush(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`region`: country (ISO 3166) of telephone numbers that have no country code."""

    store: str
    orders: Annotated[list[PushedOrder], msgspec.Meta(min_length=1, max_length=_MOST)]
    region: Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$")] | None = None


@post(
    "/orders",
    status_code=200,
    summary="Push orders of a store, 500 at most; what is older than what is there changes nothing",
    request_max_body_size=_BODY_BYTES,
)
async def push_orders(
    request: DeskRequest, order_book: NamedDependency[Orders], data: JSONBody[OrderPush]
) -> OrdersStored:
    viewer = trusted(request.user, "pushing orders")
    return await order_book.push(viewer.workspace, viewer.config, data.store, data.orders, data.region)


ROUTES = (push_orders,)
