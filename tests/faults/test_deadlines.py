"""Deadlines through the running system, with a frozen clock: a mail and a form on Friday afternoon, an answer and a solution,
and timers that are killed where it matters."""

from __future__ import annotations

import asyncio
import signal
import smtplib
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import httpx
import msgspec
import pytest

from frontdesk.embedded import free_port
from tests.support.chain import ALL, Chain, wait_for
from tests.support.chat import greeted

FRIDAY = datetime.fromisoformat("2026-11-20T15:00+01:00")
MAIL = b"""\
From: ann@example.com\r
To: support@demo.example\r
Subject: lamp\r
Message-ID: <lamp@example.com>\r
Date: Mon, 01 Jan 2024 00:00:00 +0000\r
\r
The lamp does not work.\r
"""


def monday(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-23T{clock}+01:00")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("deadlines")
    with Chain(folder, processes=(*ALL, "smtp"), smtp_port=free_port(), clock=FRIDAY) as running:
        yield running


def at(chain: Chain, process: str, clock: datetime) -> None:
    """The process goes on at this time."""
    chain.stop(process)
    chain.start(process, clock=clock)
    chain.wait_ready(process)


def ticket(chain: Chain, where: str) -> dict[str, Any]:
    """The ticket as the desk shows it, once it is there."""
    numbers: list[Any] = []

    def found() -> bool:
        numbers[:] = chain.rows(f"SELECT number FROM tickets WHERE {where}")
        return bool(numbers)

    wait_for(found, 60, f"a ticket with {where}")
    return asked(chain, "GET", f"/tickets/{numbers[0][0]}").json()["ticket"]  # type: ignore[no-any-return]


def asked(chain: Chain, method: str, path: str, **given: Any) -> httpx.Response:
    headers = {"Authorization": f"Bearer {chain.prepared.api_key}"}
    with httpx.Client(trust_env=False, timeout=30, headers=headers) as client:
        answer = client.request(method, f"http://127.0.0.1:{chain.settings.desk_port}{path}", **given)
    assert answer.status_code in (200, 201), answer.text
    return answer


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_mail_of_friday_three_o_clock_is_due_on_monday_at_nine(chain: Chain) -> None:
    """R-51: medium, Monday to Friday 08:00-17:00 in Warsaw."""
    with smtplib.SMTP("127.0.0.1", chain.settings.smtp_port, timeout=60) as connection:
        connection.sendmail("ann@example.com", ["support@demo.example"], MAIL)
    found = ticket(chain, "subject = 'lamp'")
    assert (found["priority"], found["department"]) == ("medium", "support")
    assert instant(found["deadline"]["due_at"]) == monday("09:00")
    assert instant(found["next_action_at"]) == monday("09:00")
    assert [(instant(s["start"]), instant(s["end"])) for s in found["deadline"]["segments"]] == [
        (FRIDAY, FRIDAY.replace(hour=17)),
        (monday("08:00"), monday("09:00")),
    ]


def test_the_same_hour_in_new_york_is_due_on_the_same_day(chain: Chain) -> None:
    """R-26: Wholesale works 09:00-18:00 there."""
    form = {"email": "bob@example.com", "message": "Hello", "department": "wholesale"}
    with httpx.Client(trust_env=False, timeout=30) as anybody:
        url = f"{chain.gateway}/forms/contact/submissions"
        assert anybody.post(url, json=form).status_code == 202
    found = ticket(chain, "department = 'wholesale'")
    assert instant(found["deadline"]["due_at"]) == instant("2026-11-20T12:00-05:00")


def test_the_first_answer_and_the_solution_are_measured(chain: Chain) -> None:
    """R-53: an answer after 20 minutes, a solution after two hours."""
    asyncio.run(_chat(chain))
    number = ticket(chain, "channel = 'chat'")["number"]
    at(chain, "desk", FRIDAY.replace(minute=20))
    asked(chain, "POST", f"/tickets/{number}/messages", json={"text": "Try the other plug."})
    at(chain, "desk", FRIDAY.replace(hour=17))
    solved = asked(chain, "POST", f"/tickets/{number}/status", json={"status": "solved"}).json()["ticket"]
    assert (solved["first_answer"]["business_minutes"], solved["first_answer"]["wall_minutes"]) == (20, 20)
    assert (solved["resolved"]["business_minutes"], solved["resolved"]["wall_minutes"]) == (120, 120)
    assert (solved["deadline"]["state"], solved["resolution"]["state"]) == ("met", "met")
    columns = "first_answer_minutes, first_answer_wall_minutes, resolution_minutes, resolution_wall_minutes"
    assert chain.rows(f"SELECT {columns} FROM tickets WHERE number = {number}") == [(20, 20, 120, 120)]


async def _chat(chain: Chain) -> None:
    async with greeted(chain.gateway) as (widget, _):
        await widget.say("It does not work.")
        await widget.until("msg", text="It does not work.")


def told(chain: Chain, where: str) -> list[str]:
    rows = chain.rows(
        "SELECT action FROM audit JOIN tickets t USING (workspace, ticket_id)"
        f" WHERE actor = 'timer' AND {where} ORDER BY audit.version"
    )
    return [action for (action,) in rows]


def dies(chain: Chain, clock: datetime, failpoint: str) -> None:
    chain.stop("timers", signal.SIGKILL)
    armed = chain.start("timers", clock=clock, failpoint=failpoint)
    wait_for(lambda: armed.exit_code() is not None, 60, f"timers die at {failpoint}")
    assert armed.exit_code() == 137


def test_timers_that_are_killed_tell_each_deadline_once(chain: Chain) -> None:
    """R-32, with the process killed before and after its transaction ends, and its clock set back."""
    lamp = "t.subject = 'lamp'"
    at(chain, "timers", monday("08:44"))
    assert told(chain, lamp) == []
    dies(chain, monday("08:45"), "timers.before_commit")
    assert told(chain, lamp) == []
    dies(chain, monday("08:45"), "timers.after_commit")
    assert told(chain, lamp) == ["sla_risk"]
    at(chain, "timers", FRIDAY)
    dies(chain, monday("09:00"), "timers.before_commit")
    dies(chain, monday("09:00"), "timers.after_commit")
    at(chain, "timers", monday("09:30"))
    chain.kill("timers")
    chain.wait_ready("timers")
    assert told(chain, lamp) == ["sla_risk", "sla_breached", "escalated"]
    # What was answered in time was told of nothing.
    assert told(chain, "t.channel = 'chat'") == []
    sweeper = "SELECT count(*) FROM tickets WHERE status <> 'solved' AND next_action_at IS NULL"
    assert chain.scalar(sweeper) == 0
    wait_for(lambda: chain.scalar("SELECT count(*) FROM outbox") == 0, 60, "all of it is published")


def test_the_command_explains_the_deadline(chain: Chain) -> None:
    number = ticket(chain, "subject = 'lamp'")["number"]
    explained = chain.command("explain", str(number), "--json")
    assert explained.returncode == 0, explained.stderr
    record = msgspec.json.decode(explained.stdout.splitlines()[0])
    assert "2026-11-23T08:00:00Z" in str(record)
