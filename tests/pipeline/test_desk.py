"""The desk over real HTTP on real Postgres: who sees what, who gets which ticket, and what a change leaves behind."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from contracts.base import encode
from contracts.ids import message_id, ticket_id, workspace_id
from contracts.inbound import Handle, InboundMessage, Sender
from contracts.ticket import Deadline, Ticket, TicketEvent
from contracts.workspace import Agent, Category, Department, Workspace
from desk.auth import create_key
from desk.service import DeskService
from runtime.postgres import Database
from runtime.settings import Settings
from sinks.audit import GENESIS, entry_hash
from sinks.postgres.config_store import ConfigStore
from sinks.postgres.key_store import KeyStore
from sinks.postgres.rows import StoredTicket
from sinks.postgres.ticket_store import AuditRow, MessageRow, Writes
from sinks.postgres.ticket_writes import write
from tests.support.system import Dsns

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHOP = Workspace(
    slug="shop",
    name="Shop",
    departments=(
        Department(id="support", name="Support", calendar="std", sla="std", members=("ann", "cem")),
        Department(id="returns", name="Returns", calendar="std", sla="std", members=("ann", "ben")),
    ),
    categories=(
        Category(path="Printers", department="support", members=("ann",)),
        Category(path="Invoices", department="support", members=("cem",)),
    ),
    agents=(
        Agent(id="ann", name="Ann"),
        Agent(id="ben", name="Ben"),
        Agent(id="cem", name="Cem"),
        Agent(id="lea", name="Lea", role="lead"),
    ),
)


@dataclass(frozen=True, slots=True)
class Desk:
    """A running desk, and the way round it for tests: the store itself."""

    database: Database
    url: str

    async def client(self, agent: str, role: Any = "agent", config: Workspace = SHOP) -> httpx.AsyncClient:
        key = await create_key(self.database, workspace_id(config.slug), agent, role)
        return httpx.AsyncClient(
            base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=30, trust_env=False
        )

    async def configure(self, config: Workspace, version: str = "v1") -> None:
        await ConfigStore(self.database).apply(config, version, by="test", effective_from=NOON)

    async def rows(self, query: Any, parameters: Any = None) -> list[Any]:
        return await self.database.fetch([], query, parameters)

    async def add(self, *tickets: Ticket) -> None:
        """Stores tickets as the router leaves them: version 1, with the first row of the trail."""
        writes = Writes()
        for ticket in tickets:
            key = (ticket.workspace, ticket.id)
            head = entry_hash(GENESIS, ticket.id, 1, NOON, "router", "created", b"{}")
            writes.tickets[key] = StoredTicket(ticket, 1, False, head)
            writes.audit.append(AuditRow(*key, 1, NOON, "router", "created", "{}", head))
        async with self.database.transaction() as connection:
            await write(connection, writes)


_numbers = itertools.count(1001)


def ticket(department: str, *, due: timedelta | None = timedelta(hours=3), **changes: Any) -> Ticket:
    number = next(_numbers)
    workspace = workspace_id(changes.pop("slug", SHOP.slug))
    opened = message_id(workspace, "webform", "contact", str(number))
    deadline = due and Deadline(due_at=NOON + due, started_at=NOON, target_seconds=10800, calendar="std")
    return Ticket(
        **{
            "id": ticket_id(workspace, opened),
            "number": number,
            "workspace": workspace,
            "customer": UUID(int=number),
            "trust": "claimed",
            "channel": "webform",
            "account": "contact",
            "department": department,
            "queue": department,
            "priority": "medium",
            "status": "new",
            "deadline": deadline,
            "messages": 1,
            "created_at": NOON,
            "updated_at": NOON,
            **changes,
        }
    )


@pytest.fixture
async def desk(database: Dsns) -> AsyncIterator[Desk]:
    settings = Settings(postgres=database.app, workspace="shop", desk_port=0)
    service = DeskService(settings)
    running = asyncio.create_task(service.run())
    async with Database(database.system) as system:
        desk = Desk(system, f"http://127.0.0.1:{await service.port()}")
        await desk.configure(SHOP)
        yield desk
        await service.stop()
        await running


def numbers(response: httpx.Response) -> list[int]:
    assert response.status_code == 200, response.text
    return [item["ticket"]["number"] for item in response.json()["tickets"]]


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


async def test_pull_gives_the_earliest_deadline_among_the_agents_categories(desk: Desk) -> None:
    t1 = ticket("support", category="Printers", due=timedelta(hours=5))
    t2 = ticket("support", category="Invoices", due=timedelta(hours=1))
    t3 = ticket("support", category="Printers", due=timedelta(minutes=30), agent="cem", queue=None)
    t4 = ticket("support", category="Printers", due=timedelta(hours=9))
    t5 = ticket("support", due=timedelta(minutes=5), status="waiting")
    await desk.add(t1, t2, t3, t4, t5)
    async with await desk.client("ann") as ann, await desk.client("ben") as ben:
        assert (await ben.post("/tickets/next")).status_code == 204
        pulled = await ann.post("/tickets/next")
        assert pulled.json()["ticket"]["number"] == t1.number
        assert (pulled.json()["ticket"]["agent"], pulled.json()["ticket"]["status"]) == ("ann", "open")
        assert "queue" not in pulled.json()["ticket"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("status", {"status": "solved"}),
        ("status", {"status": "waiting"}),
        ("assign", {"agent": "cem"}),
        ("assign", {"agent": None}),
    ],
)
async def test_one_pulled_ticket_at_a_time_until_it_is_dealt_with(
    desk: Desk, path: str, body: dict[str, Any]
) -> None:
    first, second = ticket("support"), ticket("support", due=timedelta(hours=4))
    await desk.add(first, second, ticket("support", agent="ann", queue=None, status="open"))
    async with await desk.client("ann") as ann:
        assert (await ann.post("/tickets/next")).json()["ticket"]["number"] == first.number
        refused = await ann.post("/tickets/next")
        assert (refused.status_code, refused.json()["held"]) == (409, [first.number])
        assert (await ann.get("/agents/me")).json()["pulled"] == [first.number]
        assert (await ann.post(f"/tickets/{first.number}/{path}", json=body)).status_code == 200
        following = first.number if body == {"agent": None} else second.number
        assert (await ann.post("/tickets/next")).json()["ticket"]["number"] == following


async def test_a_reply_of_the_customer_does_not_let_the_agent_pull_another(desk: Desk) -> None:
    first = ticket("support")
    await desk.add(first, ticket("support"))
    async with await desk.client("ann") as ann:
        assert (await ann.post("/tickets/next")).json()["ticket"]["number"] == first.number
        # As the router writes it: it knows nothing of pulls.
        replied = msgspec.structs.replace(first, agent="ann", queue=None, status="open", messages=2)
        async with desk.database.transaction() as connection:
            await write(
                connection,
                Writes(tickets={(first.workspace, first.id): StoredTicket(replied, 3, False, GENESIS)}),
            )
        assert (await ann.post("/tickets/next")).json()["held"] == [first.number]


async def test_concurrent_pulls_never_share_a_ticket_nor_pass_the_limit(desk: Desk) -> None:
    people = tuple(Agent(id=f"a{number:02}", name=f"Agent {number}") for number in range(20))
    crowd = Workspace(
        slug="shop",
        name="Shop",
        agents=people,
        pull_limit=10,
        departments=(
            Department(
                id="support", name="S", calendar="std", sla="std", members=tuple(a.id for a in people)
            ),
        ),
    )
    await desk.configure(crowd, "v2")
    waiting = [ticket("support", due=timedelta(minutes=minute)) for minute in range(200)]
    await desk.add(*waiting)
    clients = [await desk.client(agent.id) for agent in people]
    try:
        answers = await asyncio.gather(*(client.post("/tickets/next") for client in clients * 10))
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.json()["ticket"]["number"] for answer in answers} == {each.number for each in waiting}
        await desk.add(ticket("support"))
        more = await asyncio.gather(*(client.post("/tickets/next") for client in clients))
        assert {answer.status_code for answer in more} == {409}
    finally:
        for client in clients:
            await client.aclose()
    held = await desk.rows("SELECT count(*) FROM tickets WHERE agent IS NOT NULL GROUP BY agent")
    assert held == [(10,)] * 20


async def test_every_change_leaves_a_version_an_audit_row_and_an_event(desk: Desk) -> None:
    opened = ticket("support")
    await desk.add(opened)
    path = f"/tickets/{opened.number}"
    async with await desk.client("ann") as ann:
        await ann.post(f"{path}/assign", json={"agent": "ann"})
        await ann.post(f"{path}/status", json={"status": "waiting"})
        unchanged = await ann.post(f"{path}/status", json={"status": "waiting"})
        assert unchanged.headers["ETag"] == '"3"'
        await asyncio.gather(*(ann.post(f"{path}/status", json={"status": s}) for s in ("open", "solved")))
        read = (await ann.get(path)).json()
    assert [entry["version"] for entry in read["audit"]] == [1, 2, 3, 4, 5]
    assert [entry["actor"] for entry in read["audit"]] == ["router"] + ["agent:ann"] * 4
    assert read["audit"][1]["detail"] == {"agent": [None, "ann"]}
    outbox = await desk.rows("SELECT payload FROM outbox ORDER BY seq")
    events = [msgspec.json.decode(payload, type=TicketEvent) for (payload,) in outbox]
    assert [(event.version, event.change) for event in events[:2]] == [(2, "assigned"), (3, "status_changed")]
    assert [event.version for event in events] == [2, 3, 4, 5]
    assert events[-1].ticket.status == read["ticket"]["status"]
    chain = GENESIS
    for version, at, actor, action, detail, stored in await desk.rows(
        "SELECT version, at, actor, action, detail::text, hash FROM audit ORDER BY version"
    ):
        chain = entry_hash(chain, opened.id, version, at, actor, action, detail.encode())
        assert chain == stored
    assert await desk.rows("SELECT audit_head, version FROM tickets") == [(chain, 5)]


async def test_a_lost_update_is_refused(desk: Desk) -> None:
    opened = ticket("support")
    await desk.add(opened)
    path = f"/tickets/{opened.number}"
    async with await desk.client("ann") as ann:
        etag = (await ann.get(path)).headers["ETag"]
        first = await ann.post(f"{path}/status", json={"status": "open"}, headers={"If-Match": etag})
        second = await ann.post(f"{path}/status", json={"status": "solved"}, headers={"If-Match": etag})
        assert (first.status_code, second.status_code) == (200, 412)
        assert (await ann.get(path)).json()["ticket"]["status"] == "open"


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
