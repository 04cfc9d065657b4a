"""Who wrote and what they need, at once (R-14): orders and earlier tickets, on the ticket and in the decision, as they were."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from contracts.base import encode
from contracts.inbound import InboundMessage
from contracts.resolved import Context, RecentTicket
from contracts.workspace import Store
from identity.orders import ADAPTERS
from identity.orders.guarded import Guarded
from identity.orders.pushed import Pushed
from identity.orders.shopify import Shopify
from identity.orders.source import OrderSource
from runtime.postgres import Database
from sinks.postgres import order_store
from sinks.postgres.order_store import OrderRow
from tests.support.desk import running_desk, ticket
from tests.support.routing import DAY, NOW, WORKSPACE, chat, mail, message, workspace
from tests.support.shop import configure
from tests.support.shopify import ShopifyShop, order, shopify
from tests.support.stages import Stages, stages
from tests.support.system import Dsns

PATTERN = r"#?(10\d{2})\b"
CONFIG = workspace(
    stores=(
        Store(id="north", name="North", orders="pushed", order_number=PATTERN),
        Store(id="south", name="South", orders="shopify", order_number=PATTERN),
    ),
    recent_tickets=2,
)


@pytest.fixture
async def shop() -> AsyncIterator[ShopifyShop]:
    async with shopify() as found:
        yield found


@pytest.fixture
async def line(database: Dsns, shop: ShopifyShop) -> AsyncIterator[Stages]:
    await configure(database, CONFIG)
    remote = Guarded(Shopify([shop.as_setting(CONFIG.slug, "south")]), 30)
    async with Database(database.app, max_size=1) as app:
        sources: dict[str, OrderSource] = {"pushed": Pushed(app), "shopify": remote}
        async with stages(database, sources) as line:
            yield line
    await remote.close()


async def put(database: Dsns, *numbers: str, email: str | None = "ann@x.example", days: int = 0) -> None:
    rows = [
        OrderRow(
            *(WORKSPACE, "north", number, email, None, "open", None, None, None, None),
            NOW - timedelta(days=days, hours=at),
            NOW,
        )
        for at, number in enumerate(numbers)
    ]
    async with Database(database.app, max_size=1) as app, app.transaction([WORKSPACE]) as connection:
        await order_store.put(connection, rows)


def proven(name: str, text: str = "hello", email: str = "ann@x.example", **given: object) -> InboundMessage:
    return mail(name, email, text=text, proof="verified", **given)


def test_every_adapter_of_the_configuration_is_there() -> None:
    kinds = msgspec.inspect.type_info(Store)
    assert isinstance(kinds, msgspec.inspect.StructType)
    (field,) = (field for field in kinds.fields if field.name == "orders")
    assert isinstance(field.type, msgspec.inspect.UnionType)
    literal = next(one for one in field.type.types if isinstance(one, msgspec.inspect.LiteralType))
    assert set(literal.values) == set(ADAPTERS)


async def test_a_ticket_tells_the_orders_and_the_newest_tickets_of_its_customer(
    database: Dsns, line: Stages
) -> None:
    await put(database, "1042", "1039")
    await put(database, "1001", email="bob@x.example")
    opened = [
        (
            await line.take(
                proven(f"m{n}", f"Question\n number {n}", received_at=NOW + n * DAY, store="north")
            )
        )[0]
        for n in range(4)
    ]
    (event,) = await line.take(proven("last", "And 1039?", received_at=NOW + 5 * DAY, store="north"))
    context = event.ticket.context
    assert context is not None
    assert [(one.number, one.named, one.proven, one.status) for one in context.orders] == [
        ("1039", True, True, "open"),
        ("1042", False, True, "open"),
    ]
    assert (context.order_numbers, context.order_context) == (("1039",), "available")
    newest = [(one.ticket, one.number, one.status, one.summary) for one in context.recent_tickets]
    assert (
        newest
        == [
            (one.ticket_id, one.number, "new", f"Question number {n}")
            for n, one in reversed(list(enumerate(opened)))
        ][:2]
    )
    assert event.cause.decision is not None
    assert msgspec.convert(event.cause.decision["context"], Context) == context


async def test_a_number_that_somebody_types_proves_nothing(database: Dsns, line: Stages) -> None:
    await put(database, "1042")
    typed = chat("dm", "777", channel="instagram", account="ig", text="where is 1042", store="north")
    (event,) = await line.take(typed)
    assert event.ticket.context is not None
    assert [(one.number, one.named, one.proven) for one in event.ticket.context.orders] == [
        ("1042", True, False)
    ]
    (claimed,) = await line.take(message("form", email="ann@x.example", store="north"))
    assert claimed.ticket.context is not None
    assert [(one.number, one.proven) for one in claimed.ticket.context.orders] == [("1042", False)]


async def test_a_shop_that_does_not_answer_is_recorded_and_the_ticket_is_routed_all_the_same(
    line: Stages, shop: ShopifyShop
) -> None:
    shop.says = "broken"
    (event,) = await line.take(proven("one", "1042?", store="south"))
    assert event.ticket.department
    assert event.ticket.context is not None
    assert event.ticket.context.order_context == "unavailable"
    assert event.ticket.context.order_numbers == ("1042",)
    assert event.cause.decision is not None
    assert event.cause.decision["context"]["order_context"] == "unavailable"


async def test_each_store_is_asked_for_its_own_and_both_when_a_message_names_none(
    database: Dsns, line: Stages, shop: ShopifyShop
) -> None:
    await put(database, "1042")
    shop.orders = [order("#1050", "ann@x.example")]
    messages = [proven("n", store="north"), proven("s", store="south"), proven("both", store=None)]
    events = await line.take(*messages)
    told = [
        {(one.store, one.number) for one in event.ticket.context.orders}
        for event in events
        if event.ticket.context
    ]
    assert told == [
        {("north", "1042")},
        {("south", "1050")},
        {("north", "1042"), ("south", "1050")},
    ]
    assert len(shop.calls) == 1


async def test_a_batch_asks_a_shop_once(line: Stages, shop: ShopifyShop) -> None:
    people = [proven(f"m{n}", email=f"p{n}@x.example", store="south") for n in range(15)]
    events = await line.take(*people)
    assert {event.ticket.context and event.ticket.context.order_context for event in events} == {"available"}
    assert len(shop.calls) == 1


async def test_nothing_is_told_where_nothing_is_known(line: Stages) -> None:
    (event,) = await line.take(chat("dm", "777", text="hello"))
    assert event.ticket.context is None
    assert event.cause.decision is not None
    assert "context" not in event.cause.decision


async def test_what_was_taken_back_is_not_summed_up(line: Stages) -> None:
    await line.take(chat("dm", "777", text="my password is 1234", received_at=NOW))
    await line.take(chat("gone", "777", kind="delete", target="dm", text=None))
    (resolved,) = await line.resolve(chat("next", "777", received_at=NOW + DAY))
    assert [one.summary for one in resolved.recent_tickets] == [None]


async def test_read_again_a_message_does_not_find_its_own_ticket(line: Stages) -> None:
    first = proven("one", store="north")
    await line.take(first)
    (again,) = await line.resolve(first)
    assert again.recent_tickets == ()


async def test_agents_are_told_nothing_of_other_departments_tickets(database: Dsns) -> None:
    """R-21: not by a list, not by a ticket of theirs, not by its decision."""
    async with running_desk(database) as desk:
        theirs, other = ticket("support"), ticket("returns", subject="secret")
        recent = tuple(
            RecentTicket(ticket=one.id, number=one.number, subject=one.subject, department=one.department)
            for one in (theirs, other)
        )
        told = ticket("support", context=Context(order_numbers=("1042",), recent_tickets=recent))
        await desk.add(theirs, other, told)
        record = encode({"context": told.context, "rules": []}).decode()
        await desk.rows(
            "INSERT INTO decisions VALUES (%s, %s, %s, 'v1', now(), %s::json) RETURNING 1",
            (told.workspace, UUID(int=1), told.id, record),
        )
        async with await desk.client("cem") as cem, await desk.client("lea", "lead") as lea:
            mine = await cem.get(f"/tickets/{told.number}")
            assert [one["number"] for one in mine.json()["ticket"]["context"]["recent_tickets"]] == [
                theirs.number
            ]
            assert "secret" not in mine.text
            assert mine.json()["decisions"][0]["record"]["context"]["order_numbers"] == ["1042"]
            assert "secret" in (await lea.get(f"/tickets/{told.number}")).text
            assert "secret" not in (await cem.get("/tickets")).text
