"""Orders from a shop at Shopify, over real HTTP: what is found, and that a shop can never hold up a message."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from contracts.ids import workspace_id
from contracts.resolved import Order
from identity.orders.guarded import AT_ONCE, FAILURES, REST_SECONDS, Guarded
from identity.orders.shopify import Shopify
from identity.orders.source import Asked, Unavailable
from runtime.settings import Shop
from tests.support.shopify import ShopifyShop, order, shopify

NORTH = (workspace_id("shop"), "north")
ANN = Asked("email", "ann@x.example")


@pytest.fixture
async def shop() -> AsyncIterator[ShopifyShop]:
    async with shopify() as found:
        found.orders = [
            order("#1042", "Ann@X.example", "+48600100200", displayFulfillmentStatus="FULFILLED"),
            order("#1039", "ann@x.example", closedAt="2026-10-01T00:00:00Z"),
            order("#10420", "bob@x.example", cancelledAt="2026-10-01T00:00:00Z"),
        ]
        yield found


@pytest.fixture
async def asking(shop: ShopifyShop) -> AsyncIterator[Shopify]:
    source = Shopify([shop.as_setting("shop", "north")])
    yield source
    await source.close()


async def test_orders_are_found_by_number_address_and_telephone_and_nothing_but_what_is_equal(
    asking: Shopify, shop: ShopifyShop
) -> None:
    asked = [
        ANN,
        Asked("number", "1042"),
        Asked("phone", "+48600100200"),
        Asked("number", "104"),
        Asked("email", 'a" OR name:"#1042'),
    ]
    found = await asking.find(NORTH, asked)
    assert [[one.order.number for one in found[each]] for each in asked] == [
        ["1042", "1039"],
        ["1042"],
        ["1042"],
        [],
        [],
    ]
    assert len(shop.calls) == 1
    told = found[ANN][0]
    assert told.order == Order(
        number="1042",
        store="north",
        status="open",
        payment="paid",
        fulfilment="fulfilled",
        total="59.9",
        currency="EUR",
        placed_at=datetime(2026, 11, 18, 9, tzinfo=UTC),
    )
    assert (told.email, told.phone) == ("ann@x.example", "+48600100200")
    assert found[ANN][1].order.status == "closed"


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ("throttled", "throttled"),
        ("denied", "access_denied"),
        ("broken", "http_503"),
        ("nonsense", "not_understood"),
    ],
)
async def test_a_shop_that_cannot_answer_never_looks_like_one_without_orders(
    asking: Shopify, shop: ShopifyShop, says: str, reason: str
) -> None:
    shop.says = says
    with pytest.raises(Unavailable) as refused:
        await asking.find(NORTH, [ANN])
    assert refused.value.reason == reason


async def test_a_wrong_token_is_told_without_showing_it(shop: ShopifyShop) -> None:
    source = Shopify([shop.as_setting("shop", "north", token="shpat_wrong")])
    with pytest.raises(Unavailable, match=r"^http_401$"):
        await source.find(NORTH, [ANN])
    with pytest.raises(Unavailable, match=r"^not_configured$"):
        await source.find((NORTH[0], "south"), [ANN])
    await source.close()


async def test_a_shop_that_is_not_there(shop: ShopifyShop) -> None:
    source = Shopify([Shop(workspace="shop", store="north", url="http://127.0.0.1:1")])
    with pytest.raises(Unavailable, match=r"^ConnectError$"):
        await source.find(NORTH, [ANN])
    await source.close()


async def test_what_was_asked_lately_is_not_asked_again(asking: Shopify, shop: ShopifyShop) -> None:
    now = itertools.chain([0.0] * 10, itertools.repeat(61.0))
    guarded = Guarded(asking, 60, lambda: next(now))
    first = await guarded.find(NORTH, [ANN, ANN])
    assert await guarded.find(NORTH, [ANN]) == first
    assert len(shop.calls) == 1
    for _ in range(10):
        next(now)
    await guarded.find(NORTH, [ANN])
    assert len(shop.calls) == 2


async def test_many_customers_are_few_calls(asking: Shopify, shop: ShopifyShop) -> None:
    asked = [Asked("email", f"{name}@x.example") for name in range(2 * AT_ONCE + 1)]
    found = await Guarded(asking, 60).find(NORTH, asked)
    assert found.keys() == set(asked)
    assert len(shop.calls) == 3


async def test_a_silent_shop_is_given_up_in_time(asking: Shopify, shop: ShopifyShop) -> None:
    guarded = Guarded(asking, 0.2, lambda: 0.0)
    shop.says = "nothing"
    for number in range(FAILURES + 2):
        assert await guarded.find(NORTH, [Asked("number", str(number))]) == {}
    assert len(shop.calls) <= FAILURES, "after that nobody waits for it"


async def test_a_shop_that_fails_is_left_alone_then_tried_by_one_call(
    asking: Shopify, shop: ShopifyShop
) -> None:
    clock = [0.0]
    guarded = Guarded(asking, 60, lambda: clock[0])
    many = [Asked("email", f"{name}@x.example") for name in range(3 * AT_ONCE)]
    shop.says = "broken"
    for _ in range(FAILURES + 2):
        assert await guarded.find(NORTH, [ANN]) == {}
    assert len(shop.calls) == FAILURES
    clock[0] = REST_SECONDS + 1
    assert await guarded.find(NORTH, many) == {}
    assert len(shop.calls) == FAILURES + 1, "one call tries it"
    shop.says, clock[0] = "orders", 2 * REST_SECONDS + 2
    assert ANN in await guarded.find(NORTH, [ANN])
    assert (await guarded.find(NORTH, many)).keys() == set(many)


async def test_a_shop_that_asks_for_a_pause_gets_it_at_once(asking: Shopify, shop: ShopifyShop) -> None:
    clock = [0.0]
    guarded = Guarded(asking, 60, lambda: clock[0])
    shop.says = "throttled"
    assert await guarded.find(NORTH, [ANN]) == {}
    shop.says = "orders"
    assert await guarded.find(NORTH, [ANN]) == {}
    clock[0] = 1.5
    assert ANN in await guarded.find(NORTH, [ANN])
    assert len(shop.calls) == 2
