"""The door under pressure: robots by the thousand, addresses that somebody wants to find out, and a broker that is away."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import msgspec
import psutil
import pytest

from contracts.ids import receipt
from contracts.inbound import InboundMessage
from contracts.topics import INBOUND, OVERFLOW
from ingest.form_guard import LEAST_TIME
from runtime.kafka import end_offsets, read_range
from tests.support.chain import Chain
from tests.support.chat import greeted

SOAK = bool(os.environ.get("SOAK"))
BOTS, PEOPLE = (10_000, 100) if SOAK else (1_000, 10)
OUTAGE_SECONDS = 60 if SOAK else 5
SENDERS = 8
FORM = "/forms/contact/submissions"
PROCESSES = ("gateway", "identity", "router", "relay", "timers")


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    with Chain(tmp_path_factory.mktemp("door"), PROCESSES) as running:
        yield running


@asynccontextmanager
async def calling(chain: Chain) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=chain.gateway, trust_env=False, timeout=60) as client:
        yield client


async def accepted(chain: Chain) -> list[InboundMessage]:
    """What is on the topics, in the order of each partition; who was diverted has the usual lane behind them."""
    found = []
    ends = await end_offsets(chain.settings.kafka, (INBOUND, OVERFLOW))
    for (topic, partition), end in sorted(ends.items(), key=lambda each: each[0][0] == OVERFLOW.name):
        async for record in read_range(chain.settings.kafka, topic, partition, 0, end):
            found.append(msgspec.json.decode(record.value or b"", type=InboundMessage))
    return found


async def test_people_among_robots_are_heard_and_memory_stays_flat(chain: Chain) -> None:
    gateway = psutil.Process(chain.children["gateway"].pid)
    sizes: list[int] = []

    async def post(client: httpx.AsyncClient, address: str, **form: str) -> None:
        body = {"email": "ann@example.com", "message": "buy"} | form
        answer = await client.post(FORM, json=body, headers={"X-Forwarded-For": address})
        assert (answer.status_code, set(answer.json())) == (202, {"receipt"})

    async def one(client: httpx.AsyncClient, number: int) -> None:
        """A robot; every hundredth time a person too, who has read the form before, many of them in one office."""
        await post(
            client,
            f"198.51.{number % 100}.{number % 250}",
            email=f"bot{number}@example.com",
            message=f"robot {number}",
        )
        if number % (BOTS // PEOPLE) == 0:
            person = number * PEOPLE // BOTS
            office = "192.0.2.1" if person % 10 == 0 else f"192.0.2.{2 + person}"
            await post(
                client,
                office,
                email=f"person{person}@example.com",
                message=f"person {person}",
                submission_id=tokens[person],
            )

    async with calling(chain) as client:
        pages = [await client.get("/forms/contact/definition") for _ in range(PEOPLE)]
        tokens = [page.json()["submission_id"] for page in pages]
        await asyncio.sleep(LEAST_TIME.total_seconds())
        for start in range(0, BOTS, 30):
            await asyncio.gather(*(one(client, number) for number in range(start, min(start + 30, BOTS))))
            sizes.append(gateway.memory_info().rss)
    texts = [str(message.text) for message in await accepted(chain)]
    assert {text for text in texts if text.startswith("person")} == {f"person {n}" for n in range(PEOPLE)}
    robots = sum(text.startswith("robot") for text in texts)
    direct = next(a.direct_per_minute for a in chain.prepared.workspace.accounts if a.id == "contact")
    assert robots < max(2 * direct, BOTS // 10)
    # After a third everything that is kept for senders is there.
    assert sizes[-1] < sizes[len(sizes) // 3] * 1.15
    ledger = await asyncio.to_thread(chain.settle)
    assert ledger["residual"] == 0
    assert ledger["suppressed"] == BOTS - robots


async def test_a_known_address_is_answered_like_one_that_nobody_knows(chain: Chain) -> None:
    known, unknown = "known@example.com", "other@example.com"
    headers = {"X-Forwarded-For": "203.0.113.7"}

    async def answers(email: str) -> list[object]:
        found: list[object] = []
        async with calling(chain) as client:
            for accept in ("application/json", "text/html"):
                sent = {"email": email, "phone": "+48600100200", "message": f"Am I known? {accept}"}
                answer = await client.post(FORM, json=sent, headers=headers | {"Accept": accept})
                same = {name: value for name, value in answer.headers.items() if name != "date"}
                found.append((answer.status_code, same, re.sub(r"(\w{4}-){3}\w{4}", "RECEIPT", answer.text)))
        async with greeted(chain.gateway) as (widget, _):
            await widget.say("Am I known?", email=email)
            found.append((await widget.until("ack")) | {"id": ""})
        return found

    await answers(known)
    await asyncio.to_thread(chain.settle)
    holders = f"SELECT count(*) FROM handles WHERE value = '{known}'"
    assert await asyncio.to_thread(chain.scalar, holders) > 0
    assert await answers(known) == await answers(unknown)


async def test_while_the_broker_is_away_nothing_is_lost_and_each_sender_keeps_their_order(
    chain: Chain,
) -> None:
    sent: dict[str, list[str]] = defaultdict(list)
    stop = asyncio.Event()

    async def write(client: httpx.AsyncClient, sender: int) -> None:
        """One after the other: what was acknowledged is noted, and only then comes the next."""
        number = 0
        while not stop.is_set():
            body = {"email": f"sender{sender}@example.com", "message": f"outage {sender} {number}"}
            answer = await client.post(FORM, json=body)
            assert answer.status_code == 202
            sent[f"sender{sender}"].append(answer.json()["receipt"])
            number += 1
            await asyncio.sleep(0.05)

    async def chat() -> None:
        async with greeted(chain.gateway) as (widget, welcome):
            while not stop.is_set():
                ack = await widget.until("ack", cid=await widget.say(f"outage chat {time.monotonic()}"))
                sent[welcome["conversation"]].append(ack["id"])
                await asyncio.sleep(1.2)

    async with calling(chain) as client, asyncio.TaskGroup() as group:
        group.create_task(chat())
        for sender in range(SENDERS):
            group.create_task(write(client, sender))
        await asyncio.sleep(1)
        # By this thread: a server ends with the thread that started it.
        chain.kafka.stop()
        await asyncio.sleep(OUTAGE_SECONDS)
        chain.kafka.start()
        await asyncio.sleep(1)
        stop.set()
    ledger = await asyncio.to_thread(chain.settle, 180)
    assert ledger["residual"] == 0
    stored: dict[str, list[str]] = defaultdict(list)
    for message in await accepted(chain):
        if str(message.text).startswith("outage"):
            key = message.conversation_key or message.sender.handles[0].value.partition("@")[0]
            number = receipt(message.message_id)
            if number not in stored[key]:
                stored[key].append(number)
    assert stored == sent
    assert len(sent) == SENDERS + 1
