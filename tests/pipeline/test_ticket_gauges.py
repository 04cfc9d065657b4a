"""What leads see early, and that the numbers are those of the database and of the desk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from router.outlook import Outlook
from runtime.clock import Clock
from sinks.gauges import Gauges
from tests.support.desk import NOON, Desk, running_desk, ticket
from tests.support.system import Dsns

NOW = NOON + timedelta(hours=2)


def gauge(name: str, department: str | None = "returns", **labels: str) -> float | None:
    given = labels if department is None else {"department": department, **labels}
    return REGISTRY.get_sample_value(f"frontdesk_{name}", given)


@pytest.fixture
async def desk(database: Dsns) -> AsyncIterator[Desk]:
    async with running_desk(database) as desk:
        yield desk


async def scrape(desk: Desk, now: datetime = NOW) -> None:
    await Gauges(desk.database, Clock(now)).tick()
    await Outlook(desk.database, Clock(now)).tick()


async def say(desk: Desk, *present: str) -> None:
    """Everybody else has gone."""
    async with desk.database.transaction() as connection:
        await connection.execute("UPDATE agents SET presence = 'offline'")
        await connection.execute(
            "UPDATE agents SET presence = 'present' WHERE agent = ANY(%s)", (list(present),)
        )


async def test_counts_by_department_and_status_are_the_same_everywhere(desk: Desk) -> None:
    """R-29: new, open and resolved."""
    wanted = {"support": (2, 3, 5), "returns": (1, 0, 4)}
    for department, counts in wanted.items():
        for status, count in zip(("new", "open", "solved"), counts, strict=True):
            await desk.add(*(ticket(department, status=status) for _ in range(count)))
    await scrape(desk)
    async with await desk.client("lea", role="lead") as lea:
        answered = (await lea.get("/departments/counts")).json()
    rows = await desk.database.fetch([], "SELECT department, status, count(*) FROM tickets GROUP BY 1, 2")
    stored = {(department, status): count for department, status, count in rows}
    for department, counts in wanted.items():
        for status, count in zip(("new", "open", "solved"), counts, strict=True):
            of_desk = next(row for row in answered if row["department"] == department)
            assert of_desk.get(status, 0) == count
            assert stored.get((department, status), 0) == count
            assert (gauge("tickets", department, status=status) or 0) == count


async def test_ten_due_within_half_an_hour_and_one_agent(desk: Desk) -> None:
    """R-52: at a quarter of an hour each, two of them are done in time."""
    minutes = [timedelta(hours=2, minutes=20 + number) for number in range(10)]
    await desk.add(*(ticket("returns", due=due) for due in minutes))
    await desk.add(ticket("returns", due=timedelta(hours=5)), ticket("support", due=timedelta(hours=3)))
    await say(desk, "ben")
    await scrape(desk)
    assert gauge("due_soon") == 10
    assert (gauge("due_soon", "support"), gauge("overdue")) == (0, 0)
    # The first two of the ten have 20 and 21 minutes: the first is done after 15, the second after 30.
    assert gauge("breaches_projected") == 9
    # Nobody of support is there: what is due there will be late.
    assert gauge("breaches_projected", "support") == 1
    await say(desk, "ben", "ann", "cem")
    await scrape(desk)
    assert gauge("breaches_projected") == 8
    assert gauge("breaches_projected", "support") == 0


async def test_the_pace_is_that_of_the_last_hours(desk: Desk) -> None:
    """Of 48 tickets in four hours one takes five minutes, however many people there are."""
    await desk.add(*(ticket("returns", status="solved") for _ in range(48)))
    async with desk.database.transaction() as connection:
        await connection.execute("UPDATE tickets SET resolution_at = %s", (NOON,))
    await desk.add(*(ticket("returns", due=timedelta(hours=2, minutes=20 + n)) for n in range(10)))
    await say(desk, "ben")
    await scrape(desk)
    # Four of them, after 5, 10, 15 and 20 minutes; the fifth has 24 minutes and would need 25.
    assert gauge("breaches_projected") == 6


async def test_one_overdue_ticket_takes_its_time_before_the_others(desk: Desk) -> None:
    await desk.add(
        ticket("returns", due=timedelta(hours=1)), ticket("returns", due=timedelta(hours=2, minutes=20))
    )
    await say(desk, "ben")
    await scrape(desk)
    assert (gauge("overdue"), gauge("breaches_projected")) == (1, 1)


async def test_seven_of_a_hundred_went_elsewhere(desk: Desk) -> None:
    """R-55: the department of the first decision is the one that is measured."""
    await desk.add(*(ticket("returns") for _ in range(100)))
    async with desk.database.transaction() as connection:
        await connection.execute(
            "UPDATE tickets SET transfers = 1, department = 'support'"
            " WHERE number IN (SELECT number FROM tickets ORDER BY number LIMIT 7)"
        )
    await scrape(desk)
    assert gauge("transfer_ratio") == pytest.approx(0.07)
    assert gauge("first_pass_correct_ratio") == pytest.approx(0.93)
    assert gauge("first_pass_correct_ratio", "support") is None
    await scrape(desk, NOW + timedelta(days=31))
    assert gauge("transfer_ratio") is None


async def test_inflow_and_outflow_of_the_last_hour(desk: Desk) -> None:
    """R-70: 40 in, 10 out."""
    await desk.add(
        *(ticket("returns") for _ in range(30)), *(ticket("returns", status="solved") for _ in range(10))
    )
    async with desk.database.transaction() as connection:
        await connection.execute("UPDATE tickets SET resolution_at = %s WHERE status = 'solved'", (NOON,))
    await scrape(desk, NOON + timedelta(minutes=59))
    assert gauge("backlog_growth") == 30
    await scrape(desk, NOON + timedelta(minutes=61))
    assert gauge("backlog_growth") is None


async def test_a_ticket_that_nobody_would_come_back_to_is_found(desk: Desk) -> None:
    """R-32: the sweeper's number is 0."""
    await desk.add(
        ticket("returns"), ticket("returns", due=None), ticket("returns", due=None, status="solved")
    )
    await scrape(desk)
    assert gauge("tickets_without_action", None) == 1
    async with desk.database.transaction() as connection:
        await connection.execute("UPDATE tickets SET next_action_at = %s", (NOW,))
    await scrape(desk)
    assert gauge("tickets_without_action", None) == 0
