"""What happens to a chat besides its messages: started, picked up, ended, missed, rated; and what happens after hours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest

from contracts.workspace import Account, Calendar
from ingest.chat_sessions import SILENCE, ChatSessions
from ingest.intake import Intake
from runtime.clock import Clock
from runtime.kafka import Producer
from runtime.postgres import Database
from sinks.archive import FolderArchive
from tests.support.chain import Chain
from tests.support.chat import Frame, Widget, greeted
from tests.support.door import running
from tests.support.shop import SHOP, configure, settings
from tests.support.system import Broker, Dsns

PROCESSES = ("gateway", "identity", "router", "desk", "timers")
TUESDAY_NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    folder = tmp_path_factory.mktemp("chat")
    with Chain(folder, processes=PROCESSES, clock=TUESDAY_NOON) as running_chain:
        yield running_chain


@pytest.fixture
async def desk(chain: Chain) -> AsyncIterator[httpx.AsyncClient]:
    """As a lead."""
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{chain.settings.desk_port}",
        headers={"Authorization": f"Bearer {chain.prepared.api_key}"},
        timeout=30,
        trust_env=False,
    ) as client:
        yield client


async def ticket_of(chain: Chain, widget: Widget, welcome: Frame) -> int:
    """Begins a chat, and the number of its ticket."""
    await widget.say("Hello")
    await widget.until("msg", text="Hello")
    rows = await asyncio.to_thread(
        chain.rows,
        "SELECT t.number FROM messages m JOIN tickets t USING (workspace, ticket_id) "
        f"WHERE m.payload->>'conversation_key' = '{welcome['conversation']}'",
    )
    return int(rows[0][0])


async def events(chain: Chain, welcome: Frame, last: str) -> list[str]:
    """The stored events of a chat up to this one, for which it waits."""
    query = (
        "SELECT coalesce(payload->'fields'->>'event', kind) FROM messages WHERE kind IN ('chat_session', 'rating') "
        f"AND payload->>'conversation_key' = '{welcome['conversation']}' ORDER BY partition, \"offset\""
    )
    async with asyncio.timeout(60):
        while True:
            found = [event for (event,) in await asyncio.to_thread(chain.rows, query)]
            if last in found:
                return found
            await asyncio.sleep(0.1)


async def test_a_chat_that_is_answered_ended_and_rated(chain: Chain, desk: httpx.AsyncClient) -> None:
    async with (
        greeted(chain.gateway) as (widget, welcome),
        greeted(chain.gateway, welcome["token"]) as (other, _),
    ):
        assert welcome["online"] is True
        number = await ticket_of(chain, widget, welcome)
        assert (await desk.post(f"/tickets/{number}/typing")).status_code == 204
        await widget.until("typing")
        assert (await desk.post(f"/tickets/{number}/messages", json={"text": "Hi"})).status_code == 201
        await widget.until("msg", text="Hi")
        await widget.send({"t": "read", "seq": 2})
        await widget.send({"t": "end"})
        for tab in (widget, other):
            await tab.until("ended")
        for comment in ("Kind.", "Again."):
            await widget.send({"t": "rate", "score": "positive", "comment": comment})
        await widget.until("rated")
        await events(chain, welcome, "rating")
        assert set(await events(chain, welcome, "ended")) == {"started", "picked_up", "ended", "rating"}
    rated = await asyncio.to_thread(
        chain.rows,
        "SELECT payload->'fields'->>'ticket', payload->'fields'->>'agent', payload->>'text' FROM messages "
        f"WHERE kind = 'rating' AND payload->>'conversation_key' = '{welcome['conversation']}'",
    )
    assert rated == [(str(number), "lea", "Kind.")]
    read = f"SELECT read_seq FROM chats WHERE conversation = '{welcome['conversation']}'"
    assert await asyncio.to_thread(chain.scalar, read) == 2


async def test_a_chat_that_nobody_takes_was_missed(chain: Chain) -> None:
    async with greeted(chain.gateway) as (widget, welcome):
        await ticket_of(chain, widget, welcome)
        await widget.send({"t": "end"})
        await widget.until("ended")
        assert await events(chain, welcome, "missed") == ["started", "missed"]


async def test_an_agent_who_solves_the_ticket_ends_the_chat(chain: Chain, desk: httpx.AsyncClient) -> None:
    async with greeted(chain.gateway) as (widget, welcome):
        number = await ticket_of(chain, widget, welcome)
        await desk.post(f"/tickets/{number}/messages", json={"text": "Done"})
        await desk.post(f"/tickets/{number}/status", json={"status": "solved"})
        await widget.until("ended")
        assert await events(chain, welcome, "ended") == ["started", "picked_up", "ended"]
        # Whoever writes again begins another session.
        await widget.say("One more thing")
        await widget.until("msg", text="One more thing")
        sessions = f"SELECT count(*) FROM chat_sessions WHERE conversation = '{welcome['conversation']}'"
        assert await asyncio.to_thread(chain.scalar, sessions) == 2


async def test_a_chat_in_which_nobody_writes_is_over(chain: Chain, tmp_path: Path) -> None:
    async with greeted(chain.gateway) as (widget, welcome):
        await ticket_of(chain, widget, welcome)
        later = Clock(TUESDAY_NOON + SILENCE + timedelta(seconds=1))
        producer = Producer(chain.settings.kafka)
        database = Database(chain.settings.postgres_system, max_size=1)
        keeper = ChatSessions(
            database, Intake(producer, FolderArchive(tmp_path), None, later), producer, later
        )
        async with database:
            await keeper.tick()
        await producer.stop()
        await widget.until("ended")
        assert await events(chain, welcome, "missed") == ["started", "missed"]


async def test_there_is_nothing_to_rate_before_a_chat(chain: Chain) -> None:
    async with greeted(chain.gateway) as (widget, _):
        await widget.send({"t": "rate", "score": "negative"})
        assert (await widget.until("error"))["code"] == "no_session"


async def test_after_hours_the_message_is_kept_and_the_next_opening_told(
    broker: Broker, database: Dsns, tmp_path: Path
) -> None:
    """R-27 and R-69: Friday evening, and the department opens on Monday at eight, by its own clock."""
    weekdays = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("08:00", "17:00"),))
    config = msgspec.structs.replace(
        SHOP,
        calendars=(Calendar(id="std", zone="Europe/Warsaw", hours=weekdays),),
        accounts=(*SHOP.accounts, Account(channel="chat", id="chat", department="billing")),
    )
    await configure(database, config)
    friday = datetime(2026, 11, 20, 19, tzinfo=UTC)
    async with running(settings(broker, database, tmp_path, clock=friday)) as door:
        async with greeted(str(door.client.base_url)) as (widget, welcome):
            closed = {"online": False, "opens": "2026-11-23T08:00:00+01:00", "zone": "Europe/Warsaw"}
            assert welcome | closed == welcome
            assert welcome["departments"] == [{"id": "billing", "name": "Billing & returns"} | closed]
            await widget.say("Anybody?", department="billing", email="ann@example.com")
            ack = await widget.until("ack")
            assert ack | closed == ack
        [message] = await door.stored()
    assert message.fields["after_hours"] == "true"
    assert message.fields["department"] == "billing"
    assert [(handle.kind, handle.proof) for handle in message.sender.handles] == [
        ("visitor", "channel"),
        ("email", "claimed"),
    ]
