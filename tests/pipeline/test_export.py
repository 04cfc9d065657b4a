"""What a person may ask for, as leads and operators give it: everything that is stored, and its end."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import AsyncIterator
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.ids import customer_id, workspace_id
from sinks.postgres import identity_store
from sinks.postgres.identity_rows import CustomerRow, EventRow
from tests.support.command import Command, frontdesk
from tests.support.desk import SHOP, Desk, running_desk
from tests.support.line import stored
from tests.support.routing import NOW, WORKSPACE
from tests.support.system import Dsns
from tests.support.violet import (
    KEY,
    MAIL,
    NAMED,
    NEEDLES,
    OWN_FILE,
    SHARED_FILE,
    Shop,
    found_in,
    shop_of_violet,
    surrounded,
    victims,
)

WHY = "asked for it"


@pytest.fixture
async def shop(database: Dsns, tmp_path: Path) -> AsyncIterator[Shop]:
    async with shop_of_violet(database, tmp_path) as shop:
        yield shop


def _of(export: bytes) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(export)
    return found


async def test_an_export_has_everything_that_an_erasure_would_take(
    database: Dsns, shop: Shop, tmp_path: Path
) -> None:
    await surrounded(database)
    export = await shop.customers.exporter.export(WORKSPACE, "agent:lea", NAMED)
    text = export.encoded().decode()
    assert [needle for needle in NEEDLES if needle.lower() not in text.lower()] == []
    assert "ben@other.example" not in text
    await shop.customers.exporter.write_folder(export, tmp_path / "out")
    assert _of((tmp_path / "out/customer.json").read_bytes()) == _of(export.encoded())
    wanted = {sha256(content).hexdigest(): content for content in (OWN_FILE, SHARED_FILE)}
    assert {path.name: path.read_bytes() for path in (tmp_path / "out/files").iterdir()} == wanted
    history = (await shop.customers.detail(WORKSPACE, str(export.customer))).history
    assert (history[0].action, history[0].actor) == ("exported", "agent:lea")


async def test_bytes_lose_the_references_of_the_person_alone(database: Dsns, shop: Shop) -> None:
    await shop.customers.erasure.erase(WORKSPACE, "agent:lea", NAMED, WHY)
    tables = stored(database)
    own, shared = (sha256(content).hexdigest() for content in (OWN_FILE, SHARED_FILE))
    assert [own in "".join(tables[name]) for name in ("archive_refs", "archive_garbage")] == [False, True]
    assert [shared in "".join(tables[name]) for name in ("archive_refs", "archive_garbage")] == [True, True]


async def test_over_http_leads_export_and_erase_and_agents_do_not(database: Dsns) -> None:
    async with running_desk(database) as desk:
        named = f"/customers/{await _person(desk)}"
        async with await desk.client("ben") as ben:
            answers = [
                await ben.get(f"{named}/export"),
                await ben.post(f"{named}/erase", json={"reason": WHY}),
            ]
            assert [answer.status_code for answer in answers] == [403, 403]
        async with await desk.client("lea", "lead") as lea:
            exported = await lea.get(f"{named}/export")
            assert exported.headers["content-type"] == "application/zip"
            with zipfile.ZipFile(io.BytesIO(exported.content)) as archive:
                document = _of(archive.read("customer.json"))
            assert [one["value"] for one in document["handles"]] == ["violet@vermeulen.example"]
            assert (await lea.post(f"{named}/erase", json={"reason": " "})).status_code == 422
            erased = await lea.post(f"{named}/erase", json={"reason": WHY})
            assert (erased.status_code, erased.json()["messages"]) == (200, 0)
            assert (await lea.post(f"{named}/erase", json={"reason": WHY})).status_code == 409
            shown = (await lea.get(named)).json()
            assert [one["action"] for one in shown["history"]][:3] == ["erased", "revoked", "exported"]
            other = await lea.get("/customers/email:violet@vermeulen.example")
            assert other.status_code == 404
    assert found_in(stored(database), ["violet"]) == {}


async def _person(desk: Desk) -> UUID:
    workspace = workspace_id(SHOP.slug)
    founder = customer_id(workspace, True, *MAIL[:2])
    linked = EventRow(workspace, founder, "linked", founder, *MAIL[:2], "verified", NOW, founder)
    async with desk.database.transaction([workspace]) as connection:
        row = CustomerRow(workspace, founder, *MAIL[:2], True, "Violet", NOW)
        await identity_store.write(connection, [row], [linked])
    return founder


async def test_the_command_does_the_same(database: Dsns, shop: Shop, tmp_path: Path) -> None:
    customer: Command = partial(
        frontdesk, "customer", postgres=database.app, workspace="test", erasure_key=KEY, data=str(tmp_path)
    )
    exported = await customer("export", NAMED, "--out", str(tmp_path / "out"))
    assert exported.code == 0, exported.errors
    assert len(_of((tmp_path / "out/customer.json").read_bytes())["messages"]) == len(victims())
    assert len(_of((await customer("export", NAMED)).output.encode())["files"]) == 2
    assert (await customer("erase", NAMED)).code == 1, "without a reason"
    [erased] = (await customer("erase", NAMED, "--reason", WHY, "--json")).rows
    assert erased["messages"] == len(victims())
    assert (await customer("check")).code == 0
    assert found_in(stored(database)) == {}
