"""Handing on at the desk, on a real Postgres: transfers, departments' own statuses, notes, and what the trail says of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from contracts.workspace import Calendar, DepartmentStatus, SlaPolicy
from tests.support.desk import NOON, SHOP, Desk, running_desk, ticket
from tests.support.system import Dsns

WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("08:00", "17:00"),))
SUPPORT, RETURNS = SHOP.departments
CONFIG = msgspec.structs.replace(
    SHOP,
    calendars=(Calendar(id="std", zone="UTC", hours=WEEK),),
    sla_policies=(
        SlaPolicy(id="std", first_response={"urgent": 30, "high": 60, "medium": 180, "low": 480}),
        SlaPolicy(id="slow", first_response={"urgent": 30, "high": 60, "medium": 480, "low": 480}),
    ),
    departments=(
        SUPPORT,
        msgspec.structs.replace(
            RETURNS,
            sla="slow",
            statuses=(
                DepartmentStatus(name="new", means="new", next=("awaiting parcel",)),
                DepartmentStatus(name="awaiting parcel", means="waiting", next=("refunded",)),
                DepartmentStatus(name="refunded", means="solved"),
            ),
        ),
    ),
)


@pytest.fixture
async def desk(database: Dsns) -> AsyncIterator[Desk]:
    async with running_desk(database, CONFIG, clock=NOON) as desk:
        yield desk


async def test_a_transfer_keeps_everything_and_the_next_team_can_act(desk: Desk) -> None:
    """R-25, and decision 4: of eight hours two are used, six follow in the new department's time."""
    begun = NOON - timedelta(hours=2)
    opened = ticket("support", category="Printers", due=timedelta(hours=1), created_at=begun, agent="ann")
    assert opened.deadline is not None
    deadline = msgspec.structs.replace(opened.deadline, started_at=begun)
    opened = msgspec.structs.replace(opened, deadline=deadline, queue=None, status="open")
    await desk.add(opened)
    path = f"/tickets/{opened.number}"
    async with await desk.client("ann") as ann, await desk.client("ben") as ben:
        for text in ("wrong size", "asks for an exchange"):
            assert (await ann.post(f"{path}/notes", json={"text": text})).status_code == 201
        order = {"department": "Returns", "reason": "an exchange"}
        moved = await ann.post(f"{path}/transfer", json=order)
        assert moved.status_code == 200, moved.text
        after = (await ben.get(path)).json()
    assert after["ticket"]["number"] == opened.number
    assert (after["ticket"]["department"], after["ticket"]["agent"]) == ("returns", "ann")
    assert "category" not in after["ticket"]
    # The clock stands still, so the two have no order.
    assert {note["text"] for note in after["notes"]} == {"wrong size", "asks for an exchange"}
    # 12:00 and six hours: five until closing time, one on the next morning.
    assert after["ticket"]["deadline"]["due_at"] == "2026-11-24T09:00:00Z"
    entry = after["audit"][-1]
    assert (entry["action"], entry["actor"], entry["detail"]["reason"]) == (
        "transferred",
        "agent:ann",
        "an exchange",
    )
    assert entry["detail"]["department"] == ["support", "returns"]
    assert entry["detail"]["category"] == ["Printers", None]
    assert (await desk.rows("SELECT turns::text FROM rotations")) == [('["ben","ann"]',)]
    events = await desk.rows("SELECT type FROM outbox ORDER BY seq")
    assert [kind for (kind,) in events] == ["noted", "noted", "transferred"]


async def test_a_transfer_names_what_is_wrong_with_it(desk: Desk) -> None:
    opened = ticket("support")
    await desk.add(opened)
    async with await desk.client("cem") as cem:
        for order, field in (
            ({"department": "nowhere", "reason": "x"}, "department"),
            ({"department": "support", "reason": "x"}, "department"),
            ({"department": "returns", "reason": "x", "category": "Printers"}, "category"),
            ({"department": "returns", "reason": "x", "agent": "cem"}, "agent"),
            ({"department": "returns", "reason": ""}, "reason"),
        ):
            answer = await cem.post(f"/tickets/{opened.number}/transfer", json=order)
            assert answer.status_code == 422, answer.text
            assert answer.json()["errors"][0]["field"] == field
        given = {"department": "returns", "reason": "x", "agent": "ben"}
        moved = await cem.post(f"/tickets/{opened.number}/transfer", json=given)
        assert moved.json()["ticket"]["agent"] == "ben"
        # It is none of his any more.
        assert (await cem.get(f"/tickets/{opened.number}")).status_code == 404


async def test_a_department_has_its_own_way(desk: Desk) -> None:
    """R-28."""
    parcel, plain = ticket("returns"), ticket("support")
    await desk.add(parcel, plain)
    async with await desk.client("ann") as ann:
        refused = await ann.post(f"/tickets/{plain.number}/status", json={"status": "refunded"})
        assert (refused.status_code, refused.json()["allowed"]) == (422, ["open", "waiting", "solved"])
        path = f"/tickets/{parcel.number}"
        early = await ann.post(f"{path}/status", json={"status": "refunded"})
        assert (early.status_code, early.json()["allowed"]) == (422, ["awaiting parcel"])
        waits = (await ann.post(f"{path}/wait")).json()["ticket"]
        assert (waits["status"], waits["step"]) == ("waiting", "awaiting parcel")
        shown = (await ann.get(path)).json()
        assert (shown["state"], shown["moves"]) == ("awaiting parcel", ["refunded"])
        done = await ann.post(f"{path}/status", json={"status": "refunded"})
        assert (done.json()["ticket"]["status"], done.json()["ticket"]["step"]) == ("solved", "refunded")


async def test_the_trail_has_an_entry_for_everything_with_before_and_after(desk: Desk) -> None:
    """R-54, as far as the desk writes it."""
    opened = ticket("support")
    await desk.add(opened)
    path = f"/tickets/{opened.number}"
    async with await desk.client("ann") as ann:
        for name, body in (
            ("assign", {"agent": "ann"}),
            ("notes", {"text": "calls back"}),
            ("category", {"category": "Invoices"}),
            ("priority", {"priority": "urgent"}),
            ("assign", {"agent": "cem"}),
            ("wait", None),
        ):
            answer = await ann.post(f"{path}/{name}", json=body)
            assert answer.status_code in (200, 201), answer.text
        trail = (await ann.get(f"{path}/trail")).json()
        assert [entry["version"] for entry in trail] == [1, 2, 3, 4, 5, 6, 7]
        changes = [(entry["action"], entry["actor"]) for entry in trail[1:]]
        assert changes == [
            (action, "agent:ann")
            for action in (
                "assigned",
                "noted",
                "categorised",
                "prioritised",
                "assigned",
                "status_changed",
            )
        ]
        assert trail[3]["detail"]["category"] == [None, "Invoices"]
        assert trail[4]["detail"]["priority"] == ["medium", "urgent"]
        for method in (ann.put, ann.patch, ann.post):
            assert (await method(f"{path}/trail", json={})).status_code == 405
        assert (await ann.delete(f"{path}/trail")).status_code == 405


async def test_the_same_note_again_is_the_same_note(desk: Desk) -> None:
    opened = ticket("support")
    await desk.add(opened)
    key = {"Idempotency-Key": "one"}
    async with await desk.client("ann") as ann:
        for _ in range(2):
            await ann.post(f"/tickets/{opened.number}/notes", json={"text": "hello"}, headers=key)
        shown = (await ann.get(f"/tickets/{opened.number}")).json()
        assert (len(shown["notes"]), shown["version"]) == (1, 2)
        empty = await ann.post(f"/tickets/{opened.number}/notes", json={"text": " "})
        assert (empty.status_code, empty.json()["errors"][0]["field"]) == (422, "text")


async def test_queues_are_listed_for_those_who_may_see_them(desk: Desk) -> None:
    """R-29, R-21."""
    await desk.add(
        ticket("support", due=timedelta(hours=2)),
        ticket("support", due=timedelta(hours=1)),
        ticket("support", category="Printers"),
        ticket("support", agent="ann", queue=None),
        ticket("returns"),
    )
    async with await desk.client("cem") as cem, await desk.client("lea", "lead") as lea:
        listed = (await cem.get("/queues")).json()
        assert [(row["department"], row["category"], row["waiting"]) for row in listed] == [
            ("support", None, 2),
            ("support", "Printers", 1),
        ]
        assert listed[0]["due"] == "2026-11-23T13:00:00Z"
        assert len((await lea.get("/queues")).json()) == 3
