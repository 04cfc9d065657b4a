"""Pull-next on a real Postgres: whose turn a ticket is, limits, skills, help from other departments, and everybody at once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import msgspec
import psycopg
import pytest

from contracts.ids import workspace_id
from contracts.workspace import Agent, Category, Department, Overflow, Workspace
from runtime.postgres import Database
from sinks.postgres.queue_store import Puller, Share, take_first
from sinks.postgres.sql import queries
from tests.support.desk import NOON, SHOP, Desk, running_desk, ticket
from tests.support.system import Dsns


@pytest.fixture
async def desk(database: Dsns) -> AsyncIterator[Desk]:
    async with running_desk(database, clock=NOON) as desk:
        yield desk


def department(name: str, *members: str, **more: object) -> Department:
    return msgspec.convert(
        {"id": name, "name": name, "calendar": "std", "sla": "std", "method": "queue", "members": members}
        | more,
        Department,
    )


def shop(*departments: Department, agents: tuple[Agent, ...], **more: object) -> Workspace:
    return msgspec.structs.replace(
        SHOP, departments=departments, agents=agents, **({"categories": ()} | more)
    )


async def pulled(client: httpx.AsyncClient) -> int | None:
    """The number that the agent gets; None when nothing waits for them. Asked again when the desk has its hands full."""
    while (answer := await client.post("/tickets/next")).status_code == 503:
        await asyncio.sleep(float(answer.headers["Retry-After"]))
    assert answer.status_code in (200, 204), answer.text
    return answer.json()["ticket"]["number"] if answer.status_code == 200 else None


async def refused(client: httpx.AsyncClient) -> list[int]:
    """The numbers that stand in the way."""
    answer = await client.post("/tickets/next")
    assert answer.status_code == 409, answer.text
    held: list[int] = answer.json()["held"]
    return held


async def solve(client: httpx.AsyncClient, number: int | None) -> None:
    answer = await client.post(f"/tickets/{number}/status", json={"status": "solved"})
    assert answer.status_code == 200, answer.text


async def test_the_story_of_pull_next(desk: Desk) -> None:
    """R-45: unassigned, in one of my categories, earliest deadline; and after I join another category, its tickets."""
    t1 = ticket("support", category="Printers", due=timedelta(days=3))
    t2 = ticket("support", category="Invoices", due=timedelta(hours=4))
    t3 = ticket("support", category="Printers", due=timedelta(hours=3), agent="ben", queue=None)
    t4 = ticket("support", category="Printers", due=timedelta(days=4))
    await desk.add(t1, t2, t3, t4)
    people = (Agent(id="ann", name="Ann", categories=("Printers",)),)
    config = shop(
        department("support", "ann"),
        agents=people,
        categories=(
            Category(path="Printers", department="support"),
            Category(path="Invoices", department="support"),
        ),
    )
    await desk.configure(config, "v2")
    async with await desk.client("ann") as ann:
        assert await pulled(ann) == t1.number
        assert await refused(ann) == [t1.number]
        await solve(ann, t1.number)
        joined = msgspec.structs.replace(config, agents=(Agent(id="ann", name="Ann"),))
        await desk.configure(joined, "v3")
        # The desk takes a configuration up within five seconds.
        async with asyncio.timeout(20):
            while (number := await pulled(ann)) == t4.number:
                await ann.post(f"/tickets/{number}/assign", json={"agent": None})
        assert number == t2.number


async def test_the_urgent_one_that_came_last_is_taken_first(desk: Desk) -> None:
    """R-47: thirty wait, and one of high priority arrives."""
    low = [ticket("support", due=timedelta(hours=8, minutes=n), priority="low") for n in range(30)]
    high = ticket("support", due=timedelta(hours=1), priority="high", created_at=NOON + timedelta(hours=1))
    await desk.add(*low, high)
    async with await desk.client("cem") as cem:
        assert await pulled(cem) == high.number


async def test_limits_of_the_workspace_the_agent_and_the_department(desk: Desk) -> None:
    people = (Agent(id="ann", name="Ann", pull_limit=3), Agent(id="ben", name="Ben"))
    config = shop(
        department("support", "ann", "ben", pull_limit=2), department("returns", "ann"), agents=people
    )
    await desk.configure(config, "v2")
    support = [ticket("support", due=timedelta(minutes=n + 1)) for n in range(4)]
    returns = [ticket("returns", due=timedelta(hours=5)) for n in range(2)]
    await desk.add(*support, *returns)
    async with await desk.client("ann") as ann, await desk.client("ben") as ben:
        assert [await pulled(ann) for _ in range(3)] == [
            support[0].number,
            support[1].number,
            returns[0].number,
        ]
        assert sorted(await refused(ann)) == sorted([support[0].number, support[1].number, returns[0].number])
        await ann.post(f"/tickets/{returns[0].number}/wait")
        assert await pulled(ann) == returns[1].number
        await solve(ann, returns[1].number)
        # What waits for the customer is work again when they answer: another pull would be one too many of Support.
        assert await refused(ann) == [support[0].number, support[1].number]
        # The workspace's limit holds for who has none of their own.
        assert await pulled(ben) == support[2].number
        assert await refused(ben) == [support[2].number]


async def test_only_what_the_agent_knows_how_to_do(desk: Desk) -> None:
    """R-49: in my departments, categories, skills and languages."""
    people = (
        Agent(id="ann", name="Ann", languages=("en",)),
        Agent(id="ben", name="Ben", skills=("hardware",), languages=("tr", "en")),
    )
    config = shop(
        department("support", "ann", "ben"),
        department("legal", "ben"),
        agents=people,
        categories=(Category(path="Printers", department="support", skills=("hardware",), relax_minutes=60),),
        calendars=(),
    )
    await desk.configure(config, "v2")
    fresh = ticket("support", category="Printers", due=timedelta(minutes=1))
    waited = ticket("support", category="Printers", due=timedelta(minutes=3))
    turkish = ticket("support", due=timedelta(minutes=2), language="tr")
    legal = ticket("legal", due=timedelta(minutes=1))
    english = ticket("support", due=timedelta(minutes=9), language="en")
    await desk.add(fresh, waited, turkish, legal, english)
    await desk.rows(
        "UPDATE tickets SET held_since = %s WHERE number = %s RETURNING number",
        (NOON - timedelta(hours=1), waited.number),
    )
    async with await desk.client("ann") as ann, await desk.client("ben") as ben:
        for expected in (waited, english, None):
            number = await pulled(ann)
            assert number == (expected.number if expected else None)
            if expected:
                await solve(ann, number)
        # Before Legal's, which is due at the same time and of the same age, by its number.
        assert await pulled(ben) == fresh.number


async def test_a_department_that_is_not_to_be_solved_offers_nothing(desk: Desk) -> None:
    """R-33."""
    people = (Agent(id="ann", name="Ann"), Agent(id="ben", name="Ben"))
    closed = shop(department("legal", to_solve=False, members="all"), agents=people)
    await desk.configure(closed, "v2")
    waiting = ticket("legal")
    await desk.add(waiting)
    async with await desk.client("ann") as ann:
        assert await pulled(ann) is None
        opened = msgspec.structs.replace(closed, departments=(department("legal", members="all"),))
        await desk.configure(opened, "v3")
        async with asyncio.timeout(20):
            while (number := await pulled(ann)) is None:
                await asyncio.sleep(0.1)
        assert number == waiting.number


async def test_other_departments_help_while_a_queue_is_long(desk: Desk) -> None:
    """R-31: the ticket's department stays, and only what is over the threshold is pulled by others."""
    config = shop(
        department("returns", "ben", overflow=(Overflow(to="support", above=2, below=2),)),
        department("support", "cem"),
        agents=(Agent(id="ben", name="Ben"), Agent(id="cem", name="Cem", pull_limit=9)),
    )
    await desk.configure(config, "v2")
    waiting = [ticket("returns", due=timedelta(minutes=n + 1)) for n in range(2)]
    await desk.add(*waiting)
    async with await desk.client("cem") as cem:
        assert await pulled(cem) is None
        await desk.add(ticket("returns", due=timedelta(hours=3)))
        assert await pulled(cem) == waiting[0].number
        seen = (await cem.get(f"/tickets/{waiting[0].number}")).json()
        assert (seen["ticket"]["department"], seen["ticket"]["agent"]) == ("returns", "cem")
        # Two wait now: Returns manages by itself, and Cem sees none of it but what he holds.
        assert await pulled(cem) is None
        listed = (await cem.get("/tickets")).json()["tickets"]
        assert [item["ticket"]["number"] for item in listed] == [waiting[0].number]


async def test_a_queue_that_nobody_expected_counts_like_the_others(desk: Desk) -> None:
    """What waited when somebody pulled last is only a guess: what is urgent in a new queue comes first all the same, and a
    queue that is empty by now is none."""
    people = (Agent(id="ann", name="Ann", pull_limit=9), Agent(id="ben", name="Ben", pull_limit=9))
    await desk.configure(shop(department("support", "ann", "ben"), agents=people), "v2")
    waiting = [ticket("support", due=timedelta(hours=n + 1)) for n in range(3)]
    await desk.add(*waiting)
    async with await desk.client("ann") as ann, await desk.client("ben") as ben:
        assert await pulled(ann) == waiting[0].number
        urgent = ticket("support", category="Printers", due=timedelta(minutes=1))
        await desk.add(urgent)
        assert await pulled(ben) == urgent.number
        assert [await pulled(ann), await pulled(ben)] == [each.number for each in waiting[1:]]
        assert (await pulled(ann), await pulled(ben)) == (None, None)
        late = ticket("support", category="Invoices", due=timedelta(days=1))
        await desk.add(late)
        assert await pulled(ann) == late.number


async def test_who_is_at_their_limit_keeps_no_ticket_from_others(database: Dsns) -> None:
    """Not even for the moment: it is not locked, so that nobody passes it over."""
    async with running_desk(database, clock=NOON) as desk:
        people = (Agent(id="ann", name="Ann", pull_limit=1),)
        await desk.configure(shop(department("support", "ann"), agents=people), "v2")
        await desk.add(*(ticket("support", due=timedelta(hours=n + 1)) for n in range(2)))
        async with await desk.client("ann") as ann:
            assert await pulled(ann) is not None
    workspace = workspace_id("shop")
    async with Database(database.app, max_size=1) as app, app.short([workspace]) as connection:
        busy, idle = (Puller(workspace, "ann", (), most) for most in (1, 2))
        for share in (Share("support", None), Share("support", None, most=1)):
            taken = await take_first(connection, busy, [share], ["support"])
            assert taken.stored is None
            assert taken.waiting == [("support", None)]
        assert (await take_first(connection, idle, [Share("support", None, most=1)], None)).stored is None
        assert (await take_first(connection, idle, [Share("support", None)], None)).stored is not None


async def test_a_thousand_pulls_at_once_are_a_thousand_tickets(desk: Desk) -> None:
    people = tuple(Agent(id=f"a{number:02}", name=f"Agent {number}", pull_limit=20) for number in range(50))
    await desk.configure(shop(department("support", members="all"), agents=people), "v2")
    waiting = [ticket("support", due=timedelta(minutes=minute + 1)) for minute in range(1000)]
    await desk.add(*waiting)
    clients = [await desk.client(agent.id) for agent in people]
    for client in clients:
        client.timeout = httpx.Timeout(120)
    try:
        numbers = await asyncio.gather(*(pulled(client) for client in clients * 20))
        assert Counter(numbers) == Counter(each.number for each in waiting)
        await desk.add(ticket("support"))
        assert {len(held) for held in await asyncio.gather(*map(refused, clients))} == {20}
    finally:
        for client in clients:
            await client.aclose()


@pytest.mark.parametrize(
    ("query", "departments"),
    [("pairs", None), ("pairs", ["support", "returns"]), ("take", ["support", "returns"])],
)
def test_the_queue_is_read_by_its_index(database: Dsns, query: str, departments: list[str] | None) -> None:
    workspace = workspace_id("shop")
    arguments = {
        "workspace": workspace,
        "departments": departments,
        "categories": [None, "C1"],
        "skilled": [True, True],
        "cutoffs": [None, None],
        "rooms": [None, 3],
        "agent": "ann",
        "most": 2,
        "languages": ["en"],
        "offered": False,
        "depth": 16,
        "limit": 1,
    }
    with psycopg.connect(database.owner) as owner:
        owner.execute("SELECT set_config('app.workspaces', %s, false)", (str(workspace),))
        owner.execute("ALTER TABLE tickets NO FORCE ROW LEVEL SECURITY")
        owner.execute(
            "INSERT INTO tickets (workspace, ticket_id, number, version, customer_id, trust, channel, account, "
            "department, priority, status, due_at, messages, created_at, updated_at, held_since, audit_head) "
            "SELECT %s, gen_random_uuid(), n, 1, gen_random_uuid(), 'none', 'email', 'a', 'd' || n %% 50, 'low', "
            "'new', %s + n * interval '1 minute', 1, %s, %s, %s, '' FROM generate_series(1, 5000) AS n",
            (workspace, NOON, NOON, NOON, NOON),
        )
        owner.execute("ALTER TABLE tickets FORCE ROW LEVEL SECURITY")
        owner.commit()
        owner.execute("ANALYZE tickets")
        owner.commit()
    with psycopg.connect(database.app) as connection:
        connection.execute("SELECT set_config('app.workspaces', %s, false)", (str(workspace),))
        plan = connection.execute(f"EXPLAIN {queries('queue')[query]}", arguments).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert "tickets_queued" in text
    # Under row-level security only plain columns are conditions of an index; a filter would read the whole queue.
    conditions = [line for line in text.splitlines() if "Index Cond" in line and "ticket_id" not in line]
    assert any("category" in line for line in conditions), text
    assert "Seq Scan on tickets" not in text, text
