"""A load over three channels that keeps its own ledger: every id whose sender was told "we have it"."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import httpx

from contracts import ids
from contracts.ids import workspace_id
from contracts.topics import INBOUND
from ingest.channel import Raw, channels
from runtime.kafka import Outgoing, Producer
from tests.support.chain import TELEGRAM_SECRET, Chain
from tests.support.dovecot import Dovecot

WORKSPACE = workspace_id("demo")
SENT_AT = 1_795_450_000

_AT_ONCE = 16
_GIVE_UP_SECONDS = 180.0


@dataclass(frozen=True)
class Item:
    """One thing to send. `expected` is the message that must be stored, once; None for poison."""

    channel: str
    body: bytes
    expected: UUID | None
    key: str = ""


@dataclass
class Ledger:
    """What the senders know, apart from the system under test."""

    acknowledged: Counter[UUID] = field(default_factory=Counter)
    parked_at_door: int = 0
    refused: int = 0
    bad_records: int = 0


def items(seed: int, count: int) -> list[Item]:
    """About half forms, a third Telegram, the rest mail; 20 % sent again one to three times, shuffled in a window of 50;
    1 % that no code can read."""
    rng = random.Random(seed)
    fresh = [_item(rng, seed * 1_000_000 + number) for number in range(count)]
    again = [item for item in fresh if rng.random() < 0.2 for _ in range(rng.randint(1, 3))]
    poison = [Item("telegram", b"{not json %d/%d" % (seed, n), None) for n in range(count // 200)]
    poison += [Item("record", b"\x80bad %d/%d" % (seed, n), None) for n in range(count // 200)]
    places = [(position + rng.uniform(0, 50), item) for position, item in enumerate(fresh)]
    places += [(rng.uniform(0, count), item) for item in (*again, *poison)]
    return [item for _, item in sorted(places, key=lambda place: place[0])]


def _rounds(seed: int, count: int, enough: threading.Event | None) -> Iterator[Item]:
    yield from items(seed, count)
    while enough is not None and not enough.is_set():
        seed += 1
        for item in items(seed, count):
            if enough.is_set():
                return
            yield item


def _item(rng: random.Random, number: int) -> Item:
    channel = rng.choices(("webform", "telegram", "email"), weights=(50, 35, 15))[0]
    if channel == "webform":
        key = f"key-{rng.getrandbits(64):x}"
        address = f"person{rng.randint(0, 400)}@example.com"
        text = rng.choice(("printer broken", "wrong size, exchange", "invoice please", "hello"))
        form = {
            "name": "A Person",
            "email": address,
            "department": rng.choice(("returns", "support", "")),
            "message": text,
        }
        return Item(
            channel, json.dumps(form).encode(), ids.message_id(WORKSPACE, channel, "contact", key), key
        )
    if channel == "telegram":
        chat = rng.randint(1000, 1100)
        message = {
            "message_id": number,
            "date": SENT_AT + number,
            "from": {"id": chat, "is_bot": False, "first_name": f"P{chat}"},
            "chat": {"id": chat, "type": "private"},
            "text": f"message {number}",
        }
        body = json.dumps({"update_id": number, "message": message}).encode()
        return Item(channel, body, ids.message_id(WORKSPACE, channel, "demo-bot", f"{chat}:{number}"))
    body = (
        f"From: Person <mail{rng.randint(0, 200)}@example.org>\r\nTo: support@demo.example\r\n"
        f"Subject: Mail {number}\r\nMessage-ID: <m{number}@example.org>\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n\r\n"
        f"Where is my parcel number {number}?\r\n"
    ).encode()
    raw = Raw(body=body, workspace=WORKSPACE, account="support", received_at=datetime.now(UTC))
    return Item(channel, body, channels()[channel].normalise(raw).messages[0].message_id)


class Load(threading.Thread):
    """Sends the items at a steady pace, each until its sender is told that it is safe. With `enough` it sends further
    rounds of other items until that is set: however slow the machine, what happens meanwhile happens under load."""

    def __init__(
        self,
        chain: Chain,
        dovecot: Dovecot | None,
        seed: int,
        count: int,
        per_second: float,
        enough: threading.Event | None = None,
    ) -> None:
        super().__init__(name="load", daemon=True)
        self._chain = chain
        self._dovecot = dovecot
        self._items = _rounds(seed, count, enough)
        self._pace = 1 / per_second
        self.ledger = Ledger()
        self.sent = 0
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._send_all())
        except BaseException as error:
            self.failure = error

    async def _send_all(self) -> None:
        producer = Producer(self._chain.settings.kafka)
        limit = asyncio.Semaphore(_AT_ONCE)
        began = time.monotonic()
        async with httpx.AsyncClient(timeout=20) as client, asyncio.TaskGroup() as group:
            for number, item in enumerate(self._items):
                await asyncio.sleep(max(0.0, began + number * self._pace - time.monotonic()))
                await limit.acquire()
                group.create_task(self._send(client, producer, item, limit))
        await producer.stop()

    async def _send(
        self, client: httpx.AsyncClient, producer: Producer, item: Item, limit: asyncio.Semaphore
    ) -> None:
        try:
            async with asyncio.timeout(_GIVE_UP_SECONDS):
                while not await self._once(client, producer, item):
                    await asyncio.sleep(0.2)
            self.sent += 1
        finally:
            limit.release()

    async def _once(self, client: httpx.AsyncClient, producer: Producer, item: Item) -> bool:
        if item.channel == "email":
            if self._dovecot is not None:
                self._dovecot.deliver(item.body)
                self._note(item)
            return True
        if item.channel == "record":
            # Not idempotent at the sender: counted when Kafka has it, whatever it took.
            await producer.send_all([Outgoing(INBOUND.name, b"poison", item.body)])
            self.ledger.bad_records += 1
            return True
        try:
            answer = await self._post(client, item)
        except httpx.HTTPError:
            return False
        if answer.status_code in (200, 202):
            self._note(item)
            return True
        return False

    async def _post(self, client: httpx.AsyncClient, item: Item) -> httpx.Response:
        gateway = self._chain.gateway
        if item.channel == "webform":
            headers = {"Idempotency-Key": item.key, "Content-Type": "application/json"}
            return await client.post(
                f"{gateway}/forms/contact/submissions", content=item.body, headers=headers
            )
        headers = {"X-Telegram-Bot-Api-Secret-Token": TELEGRAM_SECRET}
        return await client.post(f"{gateway}/webhooks/telegram/demo-bot", content=item.body, headers=headers)

    def _note(self, item: Item) -> None:
        if item.expected is None:
            self.ledger.parked_at_door += 1
        else:
            self.ledger.acknowledged[item.expected] += 1
