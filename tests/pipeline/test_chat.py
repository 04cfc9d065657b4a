"""Live chat over real sockets through the running system: nothing that was acknowledged is lost, nothing is doubled, and
everybody sees the same lines in the same order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator

import pytest
import websockets

from tests.support.chain import Chain, wait_for
from tests.support.chat import Frame, Widget, connected, greeted

# Processes are started by the test's own thread, for they end with the thread that started them.
PROCESSES = ("gateway", "identity", "router", "relay")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with Chain(tmp_path_factory.mktemp("chat"), processes=PROCESSES) as running:
        yield running


async def stored(chain: Chain, conversation: str) -> list[str]:
    """The texts of a chat's messages in Postgres, by their numbers."""
    rows = await asyncio.to_thread(
        chain.rows,
        "SELECT m.payload->>'text' FROM chat_lines l JOIN messages m USING (workspace, message_id) "
        f"WHERE l.conversation = '{conversation}' ORDER BY l.seq",
    )
    return [text for (text,) in rows]


async def tickets(chain: Chain, conversation: str) -> int:
    query = "SELECT count(DISTINCT ticket_id) FROM messages WHERE kind = 'message' AND payload->>'conversation_key' = "
    return int(await asyncio.to_thread(chain.scalar, f"{query}'{conversation}'"))


async def said(widget: Widget, *texts: str) -> None:
    """Sends these and waits until all are acknowledged."""
    for cid in [await widget.say(text) for text in texts]:
        await widget.until("ack", cid=cid)


async def test_a_conversation_is_one_ticket_and_comes_back_in_order(chain: Chain) -> None:
    async with greeted(chain.gateway, locale="tr") as (widget, welcome):
        await said(widget, "Merhaba", "Is anybody there?", "My order is 1042")
        last = await widget.until("msg", text="My order is 1042")
        assert widget.lines == [
            (1, "visitor", "Merhaba"),
            (2, "visitor", "Is anybody there?"),
            (3, "visitor", "My order is 1042"),
        ]
    assert last["cid"] == "c-3"
    assert await tickets(chain, welcome["conversation"]) == 1
    async with greeted(chain.gateway, welcome["token"], after=1) as (again, welcome_back):
        await again.until("msg", seq=3)
        assert welcome_back["conversation"] == welcome["conversation"]
        assert [seq for seq, _, _ in again.lines] == [2, 3]


async def test_the_receipt_of_the_ack_is_that_of_the_line(chain: Chain) -> None:
    async with greeted(chain.gateway) as (widget, _):
        await said(widget, "Hello")
        line = await widget.until("msg", text="Hello")
        assert line["id"] == (await widget.until("ack"))["id"]


async def test_two_tabs_are_one_visitor(chain: Chain) -> None:
    async with greeted(chain.gateway) as (one, welcome), greeted(chain.gateway, welcome["token"]) as (two, _):
        await one.send({"t": "msg", "cid": "one", "text": "from one"})
        await two.send({"t": "msg", "cid": "two", "text": "from two"})
        for tab in (one, two):
            await tab.until("msg", cid="one")
            await tab.until("msg", cid="two")
        assert one.lines == two.lines
        assert [seq for seq, _, _ in one.lines] == [1, 2]


async def test_what_is_sent_again_is_the_same_message(chain: Chain) -> None:
    async with greeted(chain.gateway) as (widget, welcome):
        await said(widget, "once")
    async with greeted(chain.gateway, welcome["token"]) as (again, _):
        # Its ack was lost, the widget believes.
        await again.send({"t": "msg", "cid": "c-1", "text": "once"})
        await again.until("ack", cid="c-1")
        await again.send({"t": "msg", "cid": "c-2", "text": "and more"})
        await again.until("msg", cid="c-2")
        assert [text for _, _, text in again.lines] == ["once", "and more"]
    assert await stored(chain, welcome["conversation"]) == ["once", "and more"]


@pytest.mark.parametrize("failpoint", ["intake.after_produce", "kill"])
async def test_a_gateway_that_dies_loses_and_doubles_nothing(chain: Chain, failpoint: str) -> None:
    texts = [f"{failpoint} {number}" for number in range(6)]
    async with greeted(chain.gateway) as (widget, welcome):
        await said(widget, *texts[:2])
        await widget.until("msg", text=texts[1])
        if failpoint != "kill":
            chain.stop("gateway", signal.SIGKILL)
            armed = chain.start("gateway", failpoint=failpoint)
            chain.wait_ready("gateway")
            async with greeted(chain.gateway, welcome["token"], after=2) as (doomed, _):
                await doomed.send({"t": "msg", "cid": "x-2", "text": texts[2]})
                # Kafka has it, and nobody was told.
                assert await doomed.closed() != 1000
                assert not [frame for frame in doomed.heard if frame["t"] == "ack"]
            wait_for(lambda: armed.exit_code() == 137, 30, "the gateway dies")
            chain.start("gateway")
        else:
            await widget.send({"t": "msg", "cid": "x-2", "text": texts[2]})
            chain.kill("gateway")
            assert await widget.closed() != 1000
    chain.wait_ready("gateway")
    async with greeted(chain.gateway, welcome["token"], after=2) as (back, _):
        for number in range(2, 6):
            await back.send({"t": "msg", "cid": f"x-{number}", "text": texts[number]})
        await back.until("msg", cid="x-5")
        assert [(seq, text) for seq, _, text in back.lines] == list(enumerate(texts[2:], 3))
    assert await stored(chain, welcome["conversation"]) == texts
    assert (await asyncio.to_thread(chain.settle))["residual"] == 0


async def test_without_kafka_messages_wait_on_disk_in_their_order(chain: Chain) -> None:
    async with greeted(chain.gateway) as (widget, welcome):
        await said(widget, "before")
        chain.kafka.stop()
        try:
            cids = [await widget.say(text) for text in ("while", "it is", "away")]
            for cid in cids:
                await widget.until("ack", cid=cid)
        finally:
            chain.kafka.start()
        await said(widget, "after")
        await widget.until("msg", seconds=90, text="after")
    assert await stored(chain, welcome["conversation"]) == ["before", "while", "it is", "away", "after"]


async def test_a_gateway_that_is_stopped_sends_its_visitors_to_the_next(chain: Chain) -> None:
    async with greeted(chain.gateway) as (widget, _):
        chain.stop("gateway")
        assert await widget.closed() == 1012
    chain.start("gateway")
    chain.wait_ready("gateway")


BAD: list[tuple[Frame | str, str, str]] = [
    ("", "undecodable", "frame"),
    ("[]", "invalid", "frame"),
    ("{", "undecodable", "frame"),
    ({"t": "no"}, "unknown_type", "t"),
    ({"cid": "c"}, "missing", "t"),
    ({"t": "msg", "text": "x"}, "missing", "cid"),
    ({"t": "msg", "cid": "c"}, "missing", "text"),
    ({"t": "msg", "cid": "c", "text": " \n"}, "missing", "text"),
    ({"t": "msg", "cid": "c", "text": 7}, "invalid", "text"),
    ({"t": "msg", "cid": "a b", "text": "x"}, "invalid", "cid"),
    ({"t": "msg", "cid": "c", "text": "ğ" * 4097}, "too_long", "text"),
    ({"t": "msg", "cid": "c", "text": "x", "email": "ann"}, "invalid", "email"),
    ({"t": "msg", "cid": "c", "text": "x", "department": "d" * 201}, "too_long", "department"),
    ({"t": "read", "seq": -1}, "invalid", "seq"),
    ({"t": "hello", "v": 1}, "hello_once", "t"),
    ({"t": "rate", "score": "best"}, "invalid", "score"),
]


async def test_a_bad_frame_is_answered_with_its_field_and_the_talk_goes_on(chain: Chain) -> None:
    async with greeted(chain.gateway) as (widget, _):
        for frame, code, field in BAD:
            before = len(widget.heard)
            await widget.send(frame)
            while len(widget.heard) == before:
                await widget._hear()
            error = widget.heard[-1]
            assert (error["t"], error["code"], error["field"]) == ("error", code, field), frame
            if isinstance(frame, dict) and "cid" in frame and field != "t":
                assert error["cid"] == frame["cid"]
        await said(widget, "still here")


@pytest.mark.parametrize(
    ("first", "code"),
    [(b"\0", 1008), ({"t": "msg", "cid": "c", "text": "x"}, 1008), ("x" * 70_000, 1009), ("{}", 1008)],
    ids=["binary", "no_hello", "too_large", "no_type"],
)
async def test_who_does_not_say_hello_is_sent_away(
    chain: Chain, first: Frame | str | bytes, code: int
) -> None:
    async with connected(chain.gateway) as widget:
        await widget.send(first)
        assert await widget.closed() == code


async def test_who_says_nothing_is_sent_away(chain: Chain) -> None:
    async with connected(chain.gateway) as widget:
        assert await widget.closed() == 1008


@pytest.mark.parametrize(
    ("widget", "origin"), [("chat", "https://evil.example"), ("nosuch", None), ("contact", None)]
)
async def test_other_pages_and_widgets_are_refused(chain: Chain, widget: str, origin: str | None) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connected(chain.gateway, widget, origin):
            pass
    assert refused.value.response.status_code == 403


async def test_who_writes_too_fast_is_told_to_wait(chain: Chain) -> None:
    async with greeted(chain.gateway) as (widget, _):
        for number in range(14):
            await widget.say(f"message {number}")
        error = await widget.until("error", code="rate_limited")
        assert error["retry_after"] > 0
        assert error["cid"] in widget.unacked


async def test_a_forged_token_is_a_new_visitor(chain: Chain) -> None:
    async with greeted(chain.gateway) as (widget, welcome):
        await said(widget, "mine")
        await widget.until("msg", text="mine")
    forged = welcome["token"][:-2] + ("AA" if welcome["token"][-2:] != "AA" else "BB")
    async with greeted(chain.gateway, forged) as (stranger, other):
        assert other["visitor"] != welcome["visitor"]
        await said(stranger, "theirs")
        await stranger.until("msg", text="theirs")
        assert stranger.lines == [(1, "visitor", "theirs")]


async def test_the_books_are_right_after_all_this(chain: Chain) -> None:
    assert (await asyncio.to_thread(chain.settle))["residual"] == 0
