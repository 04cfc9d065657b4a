"""The desk over real HTTP on real Postgres: who sees what, and how it is shown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from contracts.base import encode
from contracts.ids import message_id, workspace_id
from contracts.inbound import Attachment, Handle, InboundMessage, Sender
from contracts.ticket import Ticket
from contracts.workspace import Agent, Workspace
from desk.auth import create_key
from sinks.postgres.key_store import KeyStore
from sinks.postgres.media_store import MediaStore, Outcome, Wanted
from sinks.postgres.ticket_store import MessageRow, Writes
from sinks.postgres.ticket_writes import write
from tests.support.desk import NOON, SHOP, Desk, numbers, running_desk, ticket
from tests.support.system import Dsns


@pytest.fixture
async def desk(database: Dsns) -> AsyncIterator[Desk]:
    async with running_desk(database) as desk:
        yield desk


async def test_a_key_that_is_missing_wrong_or_revoked_opens_nothing(desk: Desk) -> None:
    async with await desk.client("ann") as ann:
        good = ann.headers["Authorization"]
        assert (await ann.get("/tickets")).status_code == 200
        for wrong in (
            "",
            "Bearer",
            "Bearer fd_00_00",
            good[:-1] + ("0" if good[-1] != "0" else "1"),
            good[7:],
        ):
            response = await ann.get("/tickets", headers={"Authorization": wrong})
            assert response.status_code == 401
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["code"] == "unauthorized"
        key_id = good.split("_")[1]
        assert await KeyStore(desk.database).revoke(workspace_id("shop"), key_id, NOON)
        assert (await ann.get("/tickets")).status_code == 401


async def test_what_changes_tickets_asks_for_the_key_as_well(desk: Desk) -> None:
    """Also of a desk that knows the key: nothing is told, and nothing done, by one that was revoked a moment ago."""
    waiting = ticket("support")
    await desk.add(waiting)
    spec, at = await _specification(desk), f"/tickets/{waiting.number}"
    bodies = {
        "assign": {"agent": "ann"},
        "transfer": {"department": "returns", "reason": "theirs"},
        "status": {"status": "solved"},
        "notes": {"text": "hello"},
        "category": {"category": None},
        "priority": {"priority": "high"},
    }
    changes = [
        path.replace("{number}", str(number))
        for path, methods in spec["paths"].items()
        if path.startswith("/tickets") and "post" in methods
        for number in (waiting.number, 404)
    ]
    assert f"{at}/status" in changes
    for path in changes:
        async with await desk.client("ann") as ann:
            # What is refused is told to who may know. From then on the desk knows the key.
            assert (await ann.post("/tickets/404/wait")).status_code == 404
            key_id = ann.headers["Authorization"].split("_")[1]
            assert await KeyStore(desk.database).revoke(workspace_id("shop"), key_id, NOON)
            for _ in range(2):
                answer = await ann.post(path, json=bodies.get(path.rpartition("/")[2], {"text": "hello"}))
                assert (path, answer.status_code) == (path, 401)
    assert await desk.rows("SELECT version, agent FROM tickets") == [(1, None)]
    assert await desk.rows("SELECT count(*) FROM notes") == [(0,)]


async def _specification(desk: Desk) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=desk.url, trust_env=False) as nobody:
        found: dict[str, Any] = (await nobody.get("/openapi.json")).json()
    return found


async def test_only_the_hash_of_a_secret_is_stored(desk: Desk) -> None:
    key = await create_key(desk.database, workspace_id("shop"), "ann", "agent")
    _, _, secret = key.split("_")
    stored = await desk.rows("SELECT k::text FROM api_keys k")
    assert len(secret) == 64
    assert secret not in stored[0][0]


async def test_agents_see_their_departments_only_and_leads_see_all(desk: Desk) -> None:
    support, returns = ticket("support"), ticket("returns")
    await desk.add(support, returns)
    async with await desk.client("cem") as cem, await desk.client("lea", "lead") as lea:
        assert numbers(await cem.get("/tickets")) == [support.number]
        assert numbers(await cem.get("/tickets", params={"department": "returns"})) == []
        assert numbers(await lea.get("/tickets")) == [support.number, returns.number]
        counted = (await cem.get("/departments/counts")).json()
        assert [row["department"] for row in counted] == ["support"]
        hidden = [
            await cem.get(f"/tickets/{returns.number}"),
            await cem.get(f"/tickets/{returns.id}"),
            await cem.post(f"/tickets/{returns.number}/status", json={"status": "solved"}),
            await cem.post(
                f"/tickets/{returns.number}/status", json={"status": "solved"}, headers={"If-Match": '"9"'}
            ),
            await cem.post(f"/tickets/{returns.number}/assign", json={"agent": "cem"}),
        ]
        missing = await cem.get("/tickets/999999")
        assert missing.status_code == 404
        for response in hidden:
            assert (response.status_code, response.content) == (404, missing.content)
        assert (await lea.get(f"/tickets/{returns.number}")).status_code == 200


async def test_a_member_who_is_removed_sees_and_pulls_nothing_of_the_department(desk: Desk) -> None:
    await desk.add(ticket("returns"))
    changed = msgspec.structs.replace(
        SHOP,
        departments=(SHOP.departments[0], msgspec.structs.replace(SHOP.departments[1], members=("ben",))),
    )
    await desk.configure(changed, "v2")
    async with await desk.client("ann") as ann:
        assert numbers(await ann.get("/tickets")) == []
        assert (await ann.post("/tickets/next")).status_code == 204


async def test_without_departments_everybody_sees_everything(desk: Desk) -> None:
    open_plan = Workspace(slug="shop", name="Shop", agents=SHOP.agents)
    await desk.configure(open_plan, "v2")
    await desk.add(ticket("general"), ticket("returns"))
    async with await desk.client("cem") as cem:
        assert len(numbers(await cem.get("/tickets"))) == 2


async def test_another_workspace_does_not_exist(desk: Desk) -> None:
    other = Workspace(slug="other", name="Other", agents=(Agent(id="eve", name="Eve", role="admin"),))
    await desk.configure(other)
    foreign = ticket("general", slug="other")
    await desk.add(foreign, ticket("support"))
    async with await desk.client("lea", "lead") as lea, await desk.client("eve", "admin", other) as eve:
        assert (await lea.get(f"/tickets/{foreign.number}")).status_code == 404
        assert (await lea.get(f"/tickets/{foreign.id}")).status_code == 404
        assert foreign.number not in numbers(await lea.get("/tickets"))
        # The desk serves `shop` alone: a key of another workspace is no key here.
        assert (await eve.get("/tickets")).status_code == 401


async def test_the_list_is_ordered_filtered_and_pages_stay_put_while_tickets_arrive(desk: Desk) -> None:
    late, none, soon = (
        ticket("support", due=timedelta(hours=9)),
        ticket("support", due=None),
        ticket("support", due=timedelta(hours=1), channel="email", agent="ann", queue=None, status="open"),
    )
    same = [ticket("support", created_at=NOON - timedelta(minutes=minutes)) for minutes in (1, 2, 0)]
    await desk.add(none, late, *same, soon)
    expected = [soon, same[1], same[0], same[2], late, none]
    async with await desk.client("cem") as cem:
        assert numbers(await cem.get("/tickets")) == [wanted.number for wanted in expected]
        filters = (
            {"status": "open"},
            {"channel": "email"},
            {"agent": "ann"},
            {"customer": str(soon.customer)},
        )
        for filtered in filters:
            assert numbers(await cem.get("/tickets", params=filtered)) == [soon.number]
        assert len(numbers(await cem.get("/tickets", params={"agent": "nobody"}))) == 5
        walked, cursor = [], None
        while True:
            page = await cem.get("/tickets", params={"limit": 2} | ({"cursor": cursor} if cursor else {}))
            walked += numbers(page)
            cursor = page.json()["cursor"]
            if cursor is None:
                break
            await desk.add(ticket("support", due=timedelta(minutes=1)))
        assert walked == [wanted.number for wanted in expected]
        refused = await cem.get("/tickets", params={"cursor": "bm9uc2Vuc2U"})
        assert (refused.status_code, refused.json()["errors"][0]["field"]) == (400, "cursor")


async def test_requests_of_the_wrong_shape_name_the_field(desk: Desk) -> None:
    opened = ticket("support")
    await desk.add(opened)
    path = f"/tickets/{opened.number}"
    async with await desk.client("ann") as ann:
        for response, field in (
            (await ann.post(f"{path}/status", json={"status": "new"}), "status"),
            (await ann.post(f"{path}/assign", json={"agent": "ben"}), "agent"),
            (await ann.post(f"{path}/assign", json={"agent": "nobody-at-all"}), "agent"),
            (await ann.get("/tickets", params={"limit": 0}), "limit"),
            (await ann.get("/tickets", params={"customer": "anna"}), "customer"),
        ):
            assert response.status_code == 422, response.text
            assert response.headers["content-type"] == "application/problem+json"
            assert response.json()["errors"][0]["field"] == field, response.text
        assert (await ann.post(f"{path}/assign", json={"agent": None, "status": "x"})).status_code == 422
        assert (await ann.post(f"{path}/assign", content=b"{")).status_code in (400, 422)
        assert (await ann.get("/nothing-here")).json()["status"] == 404


async def test_counts_per_department_and_status(desk: Desk) -> None:
    wanted = {"support": (2, 3, 5), "returns": (1, 0, 4)}
    for department, counted in wanted.items():
        for status, count in zip(("new", "open", "solved"), counted, strict=True):
            await desk.add(*(ticket(department, status=status) for _ in range(count)))
    async with await desk.client("lea", "lead") as lea, await desk.client("ben") as ben:
        rows = {row["department"]: row for row in (await lea.get("/departments/counts")).json()}
        assert {name: (row["new"], row["open"], row["solved"]) for name, row in rows.items()} == wanted
        assert [row["name"] for row in (await ben.get("/departments/counts")).json()] == ["Returns"]


async def test_the_conversation_shows_edits_deletions_and_reactions_in_their_message(desk: Desk) -> None:
    opened = ticket("support", channel="telegram", account="bot")
    await desk.add(opened)
    await _store(
        desk,
        opened,
        {"provider_id": "7:1", "text": "helo"},
        {"provider_id": "7:2", "text": "secret"},
        {"provider_id": "7:1:e", "kind": "edit", "target": "7:1", "text": "hello"},
        {"provider_id": "7:2:d", "kind": "delete", "target": "7:2"},
        {"provider_id": "7:1:r", "kind": "reaction", "target": "7:1", "text": "👍"},
        {"provider_id": "8:9:e", "kind": "edit", "target": "8:9", "text": "of something we never saw"},
    )
    async with await desk.client("ann") as ann:
        conversation = (await ann.get(f"/tickets/{opened.id}")).json()["conversation"]
    first, second, orphan = conversation
    assert (first["text"], first["sender"], first["marks"][0]["text"]) == ("hello", "Anna", "👍")
    assert first["edited_at"] == "2026-11-23T12:02:00Z"
    assert "text" not in second
    assert second["deleted_at"] == "2026-11-23T12:03:00Z"
    assert (orphan["kind"], orphan["text"]) == ("edit", "of something we never saw")


async def test_a_file_is_shown_as_it_was_found_once_it_is_fetched(desk: Desk) -> None:
    opened = ticket("support", channel="telegram", account="bot")
    await desk.add(opened)
    given = tuple(Attachment(name=name, type="image/png", provider_ref=f"{name}-id") for name in "abc")
    await _store(desk, opened, {"provider_id": "7:1", "attachments": given})
    store, workspace = MediaStore(desk.database), opened.workspace
    identity = message_id(workspace, "telegram", "bot", "7:1")
    wanted = [
        Wanted(workspace, identity, n, "telegram", "bot", f"{n}-id", "image/png", NOON) for n in range(2)
    ]
    await store.add(wanted)
    for outcome in (Outcome("fetched", None, "00ff", "image/jpeg", 7), Outcome("expired", "http_404")):
        claimed = await store.claim([workspace], NOON, NOON + timedelta(hours=1))
        assert claimed
        await store.finish(claimed, outcome, NOON)
    async with await desk.client("ann") as ann:
        (shown,) = (await ann.get(f"/tickets/{opened.id}")).json()["conversation"]
    files = [
        {name: file.get(name) for name in ("type", "ref", "size", "state", "reason")}
        for file in shown["attachments"]
    ]
    assert [tuple(file.values()) for file in files] == [
        ("image/jpeg", "sha256:00ff", 7, "fetched", None),
        ("image/png", None, None, "expired", "http_404"),
        ("image/png", None, None, None, None),
    ]


async def _store(desk: Desk, opened: Ticket, *messages: dict[str, Any]) -> None:
    """Events about a message do not know its ticket; all others do."""
    writes, workspace = Writes(), opened.workspace
    for position, values in enumerate(messages):
        at = NOON + timedelta(minutes=position)
        message = InboundMessage(
            message_id=message_id(workspace, "telegram", "bot", values["provider_id"]),
            workspace=workspace,
            channel="telegram",
            account="bot",
            received_at=at,
            sender=Sender(handles=(Handle(kind="telegram_user", value="42"),), display_name="Anna"),
            **values,
        )
        known = message.target is None or message.target.startswith("8:")
        row = MessageRow(
            workspace,
            message.message_id,
            opened.id if known else None,
            opened.customer,
            "telegram",
            "bot",
            message.provider_id,
            message.kind,
            "in",
            message.target,
            None,
            at,
            at,
            False,
            "frontdesk.inbound.v1",
            0,
            position,
            encode(message).decode(),
        )
        writes.messages.append(row)
    async with desk.database.transaction() as connection:
        await write(connection, writes)


async def test_the_contract_is_published_and_loads_nothing_from_elsewhere(desk: Desk) -> None:
    async with httpx.AsyncClient(base_url=desk.url, trust_env=False) as anybody:
        published = await anybody.get("/openapi.json")
        assert published.status_code == 200
        paths = published.json()["paths"]
        assert {"/tickets", "/tickets/next", "/tickets/{number}", "/departments/counts", "/agents/me"} <= set(
            paths
        )
        for page in ("/", "/schema", "/schema/swagger", "/swagger", "/redoc"):
            response = await anybody.get(page)
            assert response.status_code in (401, 404)
