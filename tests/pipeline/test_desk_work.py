"""The desk over real HTTP on real Postgres: who gets which ticket, and what a change leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from contracts.ticket import TicketEvent
from sinks.audit import GENESIS, entry_hash
from sinks.postgres.rows import StoredTicket
from sinks.postgres.ticket_store import Writes
from sinks.postgres.ticket_writes import write
from tests.support.desk import Desk, running_desk, ticket
from tests.support.system import Dsns


@pytest.fixture
async def desk(database: Dsns) -> AsyncIterator[Desk]:
    async with running_desk(database) as desk:
        yield desk


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
