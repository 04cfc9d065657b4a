"""Agents answer in a chat: at the desk, into the visitor's tabs, and for whoever comes back later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from tests.support.chain import Chain
from tests.support.chat import Widget, greeted

PROCESSES = ("gateway", "identity", "router", "desk")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with Chain(tmp_path_factory.mktemp("chat"), processes=PROCESSES) as running:
        yield running


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


async def ticket_of(chain: Chain, widget: Widget, conversation: str, text: str = "Where is my order?") -> int:
    """Begins a chat, and the number of its ticket."""
    await widget.say(text)
    await widget.until("msg", text=text)
    query = (
        "SELECT t.number FROM messages m JOIN tickets t USING (workspace, ticket_id) "
        f"WHERE m.payload->>'conversation_key' = '{conversation}'"
    )
    return int(await asyncio.to_thread(chain.scalar, query))


async def answered(desk: httpx.AsyncClient, number: int, text: str, **headers: str) -> httpx.Response:
    return await desk.post(f"/tickets/{number}/messages", json={"text": text}, headers=headers)


async def test_an_answer_is_pushed_into_every_tab_and_kept_for_later(
    chain: Chain, desk: httpx.AsyncClient
) -> None:
    async with (
        greeted(chain.gateway) as (one, welcome),
        greeted(chain.gateway, welcome["token"]) as (two, _),
    ):
        number = await ticket_of(chain, one, welcome["conversation"])
        response = await answered(desk, number, "On its way.")
        assert response.status_code == 201
        for tab in (one, two):
            line = await tab.until("msg", text="On its way.")
            assert (line["seq"], line["from"], line["name"]) == (2, "agent", "Lea")
    await answered(desk, number, "Are you still there?")
    async with greeted(chain.gateway, welcome["token"], after=2) as (back, _):
        await back.until("msg", text="Are you still there?")
        assert back.lines == [(3, "agent", "Are you still there?")]


async def test_an_answer_is_a_version_of_the_ticket_and_part_of_its_conversation(
    chain: Chain, desk: httpx.AsyncClient
) -> None:
    async with greeted(chain.gateway) as (widget, welcome):
        number = await ticket_of(chain, widget, welcome["conversation"])
        before = (await desk.get(f"/tickets/{number}")).json()
        sent = (await answered(desk, number, "Hello\0 there")).json()
        assert sent["version"] == before["version"] + 1
        assert sent["ticket"]["status"] == "open"
        detail = (await desk.get(f"/tickets/{number}")).json()
        shown: list[dict[str, Any]] = detail["conversation"]
        assert [(m["direction"], m["text"]) for m in shown] == [
            ("in", "Where is my order?"),
            ("out", "Hello\ufffd there"),
        ]
        assert shown[1]["id"] == sent["message"]
        assert (detail["audit"][-1]["actor"], detail["audit"][-1]["action"]) == ("agent:lea", "message_added")
        assert detail["ticket"]["messages"] == 2


async def test_the_same_key_is_the_same_answer(chain: Chain, desk: httpx.AsyncClient) -> None:
    async with greeted(chain.gateway) as (widget, welcome):
        number = await ticket_of(chain, widget, welcome["conversation"])
        sent = await asyncio.gather(
            *(answered(desk, number, "Once.", **{"Idempotency-Key": "k-1"}) for _ in range(3))
        )
        assert {response.status_code for response in sent} == {201}
        assert len({response.json()["message"] for response in sent}) == 1
        await answered(desk, number, "Twice.")
        await widget.until("msg", text="Twice.")
        assert [text for _, _, text in widget.lines] == ["Where is my order?", "Once.", "Twice."]


async def test_both_sides_writing_at_once_are_shown_in_one_order(
    chain: Chain, desk: httpx.AsyncClient
) -> None:
    async with (
        greeted(chain.gateway) as (one, welcome),
        greeted(chain.gateway, welcome["token"]) as (two, _),
    ):
        number = await ticket_of(chain, one, welcome["conversation"])
        mine = [one.say(f"visitor {n}") for n in range(5)]
        theirs = [answered(desk, number, f"agent {n}") for n in range(5)]
        await asyncio.gather(*mine, *theirs)
        for tab in (one, two):
            await tab.until("msg", seq=11)
        assert one.lines == two.lines
        assert [seq for seq, _, _ in one.lines] == list(range(1, 12))


@pytest.mark.parametrize("text", ["", " \n", "x" * 8001, 7])
async def test_what_cannot_be_sent_is_refused(chain: Chain, desk: httpx.AsyncClient, text: Any) -> None:
    async with greeted(chain.gateway) as (widget, welcome):
        number = await ticket_of(chain, widget, welcome["conversation"])
    response = await desk.post(f"/tickets/{number}/messages", json={"text": text})
    assert response.status_code in (400, 422)
    assert "text" in response.text


async def test_who_left_neither_a_chat_nor_an_address_cannot_be_answered(
    chain: Chain, desk: httpx.AsyncClient
) -> None:
    assert (await answered(desk, 999_999, "Hello")).status_code == 404
    async with httpx.AsyncClient(trust_env=False, timeout=30) as anybody:
        form = {"name": "Ann", "phone": "+48600100200", "message": "By form."}
        assert (
            await anybody.post(f"{chain.gateway}/forms/contact/submissions", json=form)
        ).status_code == 202
    async with asyncio.timeout(60):
        while not (page := (await desk.get("/tickets", params={"channel": "webform"})).json())["tickets"]:
            await asyncio.sleep(0.1)
    refused = await answered(desk, page["tickets"][0]["ticket"]["number"], "Hello")
    assert (refused.status_code, refused.json()["code"]) == (409, "no_chat")
