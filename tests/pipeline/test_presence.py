"""People come and go, over HTTP on a real Postgres: what is offered to whom, what goes back to the queue, and by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from contracts.workspace import Absence, Agent, Calendar, Category, Department, Workspace
from tests.support.desk import NOON, SHOP, Desk, running_desk, ticket
from tests.support.system import Dsns

WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("08:00", "17:00"),))


def shop(*agents: Agent, **department: Any) -> Workspace:
    """One department, Support, that returns what is left at the end of a shift."""
    values = {"members": "all", "shift_end": "return_to_queue"} | department
    return msgspec.structs.replace(
        SHOP,
        agents=agents,
        categories=(Category(path="Printers", department="support", skills=("hardware",), relax_minutes=60),),
        calendars=(Calendar(id="std", zone="UTC", hours=WEEK),),
        departments=(Department(id="support", name="Support", calendar="std", sla="std", **values),),
    )


@pytest.fixture
async def desk(database: Dsns) -> AsyncIterator[Desk]:
    async with running_desk(database, clock=NOON) as desk:
        yield desk


async def say(client: httpx.AsyncClient, presence: str, agent: str = "me") -> dict[str, Any]:
    answer = await client.put(f"/agents/{agent}/presence", json={"presence": presence})
    assert answer.status_code == 200, answer.text
    said: dict[str, Any] = answer.json()
    return said


async def test_who_comes_gets_what_waits_up_to_their_capacity(desk: Desk) -> None:
    """Decision 1; and what is solved makes room for the next."""
    ann = Agent(id="ann", name="Ann", capacity=2, present=False)
    await desk.configure(shop(ann, Agent(id="ben", name="Ben", present=False)), "v2")
    waiting = [ticket("support", due=timedelta(hours=1 + n)) for n in range(4)]
    left = ticket("support", due=timedelta(minutes=1), held_back=True)
    await desk.add(*reversed(waiting), left)
    async with await desk.client("ann") as client:
        before = (await client.get("/agents/me")).json()
        assert (before["there"], before["why"]) == (False, "absent")
        view = await say(client, "present")
        assert (view["there"], view["load"], view["capacity"]) == (True, 2, 2)
        assert await desk.holders(*waiting, left) == ["ann", "ann", None, None, None]
        await client.post(f"/tickets/{waiting[0].number}/status", json={"status": "solved"})
        assert await desk.holders(*waiting) == ["ann", "ann", "ann", None]
        # Away is a break: nothing new, and nothing is taken.
        await say(client, "away")
        await client.post(f"/tickets/{waiting[1].number}/status", json={"status": "solved"})
        assert await desk.holders(*waiting) == ["ann", "ann", "ann", None]


async def test_the_end_of_a_shift_gives_back_with_deadlines_unchanged(desk: Desk) -> None:
    """R-48."""
    await desk.configure(shop(Agent(id="ann", name="Ann"), method="queue"), "v2")
    held = [ticket("support", agent="ann", queue=None, status="open") for _ in range(3)]
    solved = ticket("support", agent="ann", queue=None, status="solved")
    await desk.add(*held, solved)
    async with await desk.client("ann") as client:
        await say(client, "offline")
        assert await desk.holders(*held, solved) == [None, None, None, "ann"]
        for each in held:
            detail = (await client.get(f"/tickets/{each.number}")).json()
            assert each.deadline is not None
            due = datetime.fromisoformat(detail["ticket"]["deadline"]["due_at"])
            assert (due, detail["ticket"]["queue"]) == (each.deadline.due_at, "support")
            (entry,) = [entry for entry in detail["audit"] if entry["version"] > 1]
            assert (entry["action"], entry["actor"]) == ("unassigned", "agent:ann")
            assert entry["detail"] == {"agent": ["ann", None], "reason": "shift_end"}


async def test_shifts_and_leave_end_and_begin_by_the_clock(desk: Desk) -> None:
    ann = Agent(id="ann", name="Ann", calendar="std")
    cem = Agent(
        id="cem", name="Cem", absences=(Absence(first="2026-11-24", last="2026-11-24", deputy="dee"),)
    )
    await desk.configure(shop(ann, cem, Agent(id="dee", name="Dee")), "v2")
    hers, his = (ticket("support", agent=agent, queue=None, status="open") for agent in ("ann", "cem"))
    await desk.add(hers, his)
    await desk.sweep(NOON)
    assert await desk.holders(hers, his) == ["ann", "cem"]
    # After five she is off; what she had is offered to who is there, in turn.
    await desk.sweep(NOON + timedelta(hours=5))
    assert (await desk.holders(hers))[0] in ("cem", "dee")
    await desk.sweep(NOON + timedelta(days=1))
    assert await desk.holders(his) == ["dee"]


async def test_a_lease_runs_in_working_time_and_begins_anew_with_everything_its_agent_does(
    desk: Desk,
) -> None:
    people = (Agent(id="ann", name="Ann"),)
    await desk.configure(shop(*people, method="queue", lease_minutes=60, shift_end="keep"), "v2")
    first = ticket("support", created_at=NOON)
    await desk.add(first)
    async with await desk.client("ann") as client:
        pulled = (await client.post("/tickets/next")).json()["ticket"]
        assert pulled["lease_until"] == "2026-11-23T13:00:00Z"
        await desk.sweep(NOON + timedelta(minutes=59))
        assert await desk.holders(first) == ["ann"]
        waits = (await client.post(f"/tickets/{first.number}/wait")).json()["ticket"]
        assert "lease_until" not in waits
        await desk.sweep(NOON + timedelta(days=2))
        assert await desk.holders(first) == ["ann"]
        again = await client.post(f"/tickets/{first.number}/status", json={"status": "open"})
        assert again.json()["ticket"]["lease_until"] == "2026-11-23T13:00:00Z"
        await desk.sweep(NOON + timedelta(minutes=60))
        assert await desk.holders(first) == [None]
        trail = (await client.get(f"/tickets/{first.number}/trail")).json()
        assert (trail[-1]["actor"], trail[-1]["detail"]["reason"]) == ("timer", "lease")


async def test_skills_are_asked_for_until_the_ticket_has_waited(desk: Desk) -> None:
    await desk.configure(shop(Agent(id="ann", name="Ann")), "v2")
    printer = ticket("support", category="Printers", held_since=NOON)
    await desk.add(printer)
    await desk.sweep(NOON + timedelta(minutes=59))
    assert await desk.holders(printer) == [None]
    await desk.sweep(NOON + timedelta(minutes=60))
    assert await desk.holders(printer) == ["ann"]


async def test_only_leads_speak_for_others(desk: Desk) -> None:
    async with await desk.client("ann") as ann, await desk.client("lea", "lead") as lea:
        refused = await ann.put("/agents/cem/presence", json={"presence": "away"})
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert (await say(lea, "away", "cem"))["why"] == "away"
        assert (await lea.put("/agents/zoe/presence", json={"presence": "away"})).status_code == 404
        wrong = await ann.put("/agents/me/presence", json={"presence": "asleep"})
        assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (422, "presence")
        colleagues = {view["agent"]: view["why"] for view in (await ann.get("/agents")).json()}
        assert colleagues["cem"] == "away"
