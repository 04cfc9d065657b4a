"""What a place that knows orders is asked, and what it answers. An adapter is one file beside this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

from contracts.resolved import Order

MOST_ORDERS = 10
"""Of one address or telephone number: the newest."""

StoreKey = tuple[UUID, str]
"""Workspace and store."""


class Asked(NamedTuple):
    """Orders of this number, address or telephone number; canonical values, numbers as `numbers.spelled` gives them."""

    kind: Literal["number", "email", "phone"]
    value: str


class ShopOrder(NamedTuple):
    """An order with whose it is: canonical address and telephone number, as far as the shop knows them."""

    order: Order
    email: str | None = None
    phone: str | None = None


Answers = Mapping[Asked, Sequence[ShopOrder]]
"""Newest first; nothing under what was asked: there is no such order. What is left out could not be had."""


class Unavailable(Exception):
    """The shop does not answer, or refuses to. `reason` is one of a small set and holds no secret; `retry_after`: seconds in
    which it need not be asked again."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class OrderSource(Protocol):
    """One store's orders. An adapter asks its shop once for all that is asked, and raises `Unavailable`; how long that may
    take, and how often it is tried, is not its business (`identity/orders/guarded.py`)."""

    async def find(self, store: StoreKey, asked: Sequence[Asked]) -> Answers: ...

    async def close(self) -> None: ...
