"""A shop's orders come to us by HTTP push and by CSV, and can be looked up as a message would look them up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from contracts.workspace import Store
from tests.support.command import Ended, frontdesk
from tests.support.desk import SHOP, Desk, running_desk
from tests.support.system import Dsns

PUSHED = msgspec.structs.replace(
    SHOP,
    stores=(
        Store(id="north", name="North", orders="pushed"),
        Store(id="south", name="South", orders="shopify"),
    ),
)


@pytest.fixture
async def desk(database: Dsns) -> AsyncIterator[Desk]:
    async with running_desk(database) as desk:
        await desk.configure(PUSHED, "v2")
        yield desk


@pytest.fixture
async def lea(desk: Desk) -> AsyncIterator[httpx.AsyncClient]:
    async with await desk.client("lea", "lead") as client:
        yield client


def of(store: str, *orders: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {"store": store, "orders": list(orders), **given}


async def found(database: Dsns, *arguments: str) -> Ended:
    command = ("orders", "find", *arguments, "--store", "north", "--json")
    return await frontdesk(*command, postgres=database.app, workspace="shop")


async def test_pushed_orders_are_found_by_number_address_and_telephone(
    database: Dsns, lea: httpx.AsyncClient
) -> None:
    sent = {"number": "#a-17", "email": "Ann@X.Example", "phone": "600 100 200", "total": "59.90"}
    answer = await lea.post("/orders", json=of("north", sent, {"number": "B-1"}, region="PL"))
    assert (answer.status_code, answer.json()) == (200, {"stored": 2})
    for arguments in (("number", "A-17"), ("email", "ann@x.example"), ("phone", "+48600100200")):
        (row,) = (await found(database, *arguments)).rows
        assert (row["number"], row["email"], row["phone"], row["total"]) == (
            "A-17",
            "ann@x.example",
            "+48600100200",
            "59.90",
        )
    assert (await found(database, "number", "C-1")).rows == []


async def test_an_older_state_never_overwrites_a_newer(database: Dsns, lea: httpx.AsyncClient) -> None:
    newer = {"number": "1", "status": "shipped", "updated_at": "2026-11-20T12:00:00Z"}
    older = newer | {"status": "open", "updated_at": "2026-11-20T13:59:00+02:00"}
    assert (await lea.post("/orders", json=of("north", newer, older))).json() == {"stored": 1}
    assert (await lea.post("/orders", json=of("north", older))).json() == {"stored": 0}
    (row,) = (await found(database, "number", "1")).rows
    assert row["status"] == "shipped"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (of("south", {"number": "1"}), "orders: pushed"),
        (of("west", {"number": "1"}), "known are north, south"),
        (of("north"), "length >= 1"),
        (of("north", {"number": "1", "total": "many"}), "orders[0].total"),
        (of("north", {"number": "1", "placed_at": "2026-11-20T12:00:00"}), "orders[0].placed_at"),
        (of("north", {"number": "1", "colour": "red"}), "colour"),
    ],
)
async def test_what_cannot_be_stored_is_refused_with_the_field_and_the_fix(
    lea: httpx.AsyncClient, body: dict[str, Any], says: str
) -> None:
    answer = await lea.post("/orders", json=body)
    assert answer.status_code in (400, 422), answer.text
    assert says in answer.text


async def test_agents_do_not_push(desk: Desk) -> None:
    async with await desk.client("ann") as ann:
        assert (await ann.post("/orders", json=of("north", {"number": "1"}))).status_code == 403


async def test_a_csv_file_is_imported_and_again_changes_nothing(
    database: Dsns, desk: Desk, tmp_path: Path
) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(
        "number,email,placed_at,updated_at\n"
        "1042,ann@x.example,2026-11-18T09:00:00Z,2026-11-18T09:00:00Z\n"
        '1039,"ann@x.example",,2026-11-18T09:00:00Z\n',
        "utf-8-sig",
    )
    command = ("orders", "import", str(file), "--store", "north", "--json")
    settings = {"postgres": database.app, "workspace": "shop"}
    assert (await frontdesk(*command, **settings)).rows == [{"read": 2, "stored": 2}]
    assert [row["number"] for row in (await found(database, "email", "ann@x.example")).rows] == [
        "1042",
        "1039",
    ]
    await frontdesk(*command, **settings)
    assert len((await found(database, "email", "ann@x.example")).rows) == 2
    file.write_text("number,placed_at\n1,yesterday\n")
    wrong = await frontdesk(*command, **settings)
    assert (wrong.code, "orders.csv:2" in wrong.errors, "placed_at" in wrong.errors) == (1, True, True)


async def test_a_shop_that_does_not_answer_is_exit_code_3(database: Dsns, desk: Desk) -> None:
    ended = await frontdesk(
        "orders", "find", "number", "1", "--store", "south", postgres=database.app, workspace="shop"
    )
    assert ended.code == 3, ended.errors
