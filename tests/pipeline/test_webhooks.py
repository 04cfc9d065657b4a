"""Webhooks of every network over HTTP, on real Kafka and Postgres: what is genuine is stored once, all else leaves nothing."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import msgspec
import pytest

from contracts.inbound import InboundMessage
from contracts.workspace import Account, Workspace
from ingest import rating_links
from ingest.gateway_service import GatewayService
from ingest.rating_links import Rated
from runtime.health import Health
from runtime.settings import Bot, Hook, Settings
from tests.channels.test_examples import EXAMPLES
from tests.support import hooks
from tests.support.shop import SHOP, WORKSPACE, configure, settings
from tests.support.system import Broker, Dsns
from tests.support.topics import Since

PUBLIC = "https://desk.example"
ACCOUNTS = {channel: f"{channel.replace('_', '-')}-a" for channel in (*hooks.SIGNED, "telegram")}
SECRETS = {channel: "meta-secret" if channel in hooks.META else f"{channel}-secret" for channel in ACCOUNTS}
CONFIG: Workspace = msgspec.structs.replace(
    SHOP,
    accounts=(
        *SHOP.accounts[:2],
        *(Account(channel=channel, id=account, store="a") for channel, account in ACCOUNTS.items()),
    ),
)
HOOKS = tuple(
    Hook(
        workspace="shop",
        channel=channel,
        account=account,
        secrets=("older", SECRETS[channel]),
        verify_token="agreed",
    )
    for channel, account in ACCOUNTS.items()
    if channel != "telegram"
)
BOT = Bot(workspace="shop", account=ACCOUNTS["telegram"], secret=SECRETS["telegram"])
CHANNELS = sorted(ACCOUNTS)


@dataclass(slots=True)
class Door:
    """The gateway as its callers see it."""

    client: httpx.AsyncClient
    since: Since

    async def post(
        self, channel: str, body: bytes, kind: str = "application/json", secret: str | None = None
    ) -> httpx.Response:
        path = f"/webhooks/{channel}/{ACCOUNTS[channel]}"
        signed = hooks.headers(channel, secret or SECRETS[channel], body, PUBLIC + path)
        if channel == "rating":
            # With the key itself, and so without an id of the delivery, which would be the rating's.
            signed = {"authorization": f"Bearer {secret or SECRETS[channel]}"}
        return await self.client.post(path, content=body, headers={"content-type": kind} | signed)

    async def stored(self) -> list[InboundMessage]:
        """Each event once, in no order: a stored message is one of these ids."""
        found = {message.message_id: message for message in await self.since.messages()}
        return list(found.values())


@asynccontextmanager
async def running(chosen: Settings) -> AsyncIterator[Door]:
    """A gateway that has read its accounts."""
    service = GatewayService(chosen)
    health = Health()
    service.report(health)
    task = asyncio.create_task(service.run())
    try:
        url = f"http://127.0.0.1:{await service.port()}"
        async with asyncio.timeout(30):
            while not await has_accounts(health):
                await asyncio.sleep(0.02)
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
            yield Door(client, await Since.now(chosen.kafka))
    finally:
        await service.stop()
        await asyncio.wait_for(task, 20)


async def has_accounts(health: Health) -> bool:
    try:
        await health.ready_checks["accounts"]()
    except RuntimeError:
        return False
    return True


@pytest.fixture
async def door(broker: Broker, database: Dsns, tmp_path: Path) -> AsyncIterator[Door]:
    await configure(database, CONFIG)
    chosen = settings(broker, database, tmp_path, bots=(BOT,), hooks=HOOKS, public_url=PUBLIC)
    async with running(chosen) as opened:
        yield opened


def examples(channel: str) -> list[tuple[bytes, str, list[dict[str, Any]]]]:
    """Bodies, their types, and what is expected of them; without those that need another account's settings."""
    found = []
    for path in EXAMPLES:
        name = path.name.partition(".")[0]
        if path.parent.name == channel and not path.with_name(f"{name}.options.json").exists():
            kind = hooks.FORM if path.suffix == ".form" else "application/json"
            expected = json.loads(path.with_name(f"{name}.out.json").read_text())
            found.append((path.read_bytes(), kind, expected))
    return found


def events(expected: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in expected if "unread" not in row]


@pytest.mark.parametrize("channel", CHANNELS)
async def test_posted_again_and_in_another_order_is_stored_once(door: Door, channel: str) -> None:
    calls = examples(channel)
    for round_ in range(3):
        random.Random(f"{channel}{round_}").shuffle(calls)
        for body, kind, _ in calls:
            answer = await door.post(channel, body, kind)
            assert answer.status_code == 200, (answer.text, body)
    expected = {
        (row["channel"], row["provider_id"], row.get("kind", "message"), row.get("text"))
        for _, _, rows in calls
        for row in events(rows)
    }
    found = {(m.channel, m.provider_id, m.kind, m.text) for m in await door.since.messages()}
    assert found == expected
    assert {m.workspace for m in await door.stored()} == {WORKSPACE}
    unread = {
        json.dumps(row["bytes"], sort_keys=True) for _, _, rows in calls for row in rows if "unread" in row
    }
    letters = await door.since.dead_letters()
    assert {json.dumps(json.loads(letter.raw), sort_keys=True) for letter in letters} == unread


async def test_what_is_not_signed_leaves_nothing(door: Door) -> None:
    for channel in CHANNELS:
        for body, kind, _ in examples(channel)[:3]:
            forged = await door.post(channel, body, kind, secret="guessed")
            path = f"/webhooks/{channel}/{ACCOUNTS[channel]}"
            bare = await door.client.post(path, content=body, headers={"content-type": kind})
            assert {forged.status_code, bare.status_code} <= {401, 403}, channel
    assert (await door.since.messages(), await door.since.dead_letters()) == ([], [])


async def test_the_older_of_two_secrets_opens_as_well(door: Door) -> None:
    for channel in hooks.SIGNED:
        body, kind, _ = examples(channel)[0]
        assert (await door.post(channel, body, kind, secret="older")).status_code == 200, channel


@pytest.mark.parametrize("channel", CHANNELS)
async def test_damaged_calls_are_stored_parked_or_refused(door: Door, channel: str) -> None:
    """Genuine, but cut or changed: as if the provider had a fault."""
    chance, calls = random.Random(channel), examples(channel)
    for _ in range(40):
        body, kind, _ = chance.choice(calls)
        answer = await door.post(channel, damaged(body, chance), kind)
        # Systems of our customers are told what they must correct; a provider would only call again.
        allowed = {200, 400, 422} if channel in ("call", "rating") else {200}
        assert answer.status_code in allowed, (answer.status_code, answer.text)
    for message in await door.since.messages():
        assert message.raw is not None


def damaged(body: bytes, chance: random.Random) -> bytes:
    if chance.random() < 0.3:
        return body[: chance.randrange(len(body))]
    changed = bytearray(body)
    for _ in range(chance.randrange(1, 4)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def whatsapp(*messages: dict[str, Any], number: str = "106540352242922") -> bytes:
    value = {"metadata": {"phone_number_id": number}, "contacts": [], "messages": list(messages)}
    entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def said(number: int) -> dict[str, Any]:
    text = {"body": f"text {number}"}
    return {
        "from": "48601100200",
        "id": f"wamid.{number}",
        "timestamp": "1767225600",
        "type": "text",
        "text": text,
    }


async def test_the_same_events_grouped_in_another_way_are_the_same_messages(door: Door) -> None:
    for group in ([0, 1, 2], [2, 3], [3], [4, 0], [1, 4, 3, 2, 0]):
        answer = await door.post("whatsapp", whatsapp(*(said(number) for number in group)))
        assert answer.status_code == 200
    found = await door.since.messages()
    assert len(found) == 13
    assert len({(m.message_id, m.raw.sha256) for m in found if m.raw}) == 5
    assert sorted(m.text or "" for m in await door.stored()) == [f"text {n}" for n in range(5)]


async def test_one_bad_event_leaves_its_neighbours_alone_and_waits_as_a_call_of_its_own(door: Door) -> None:
    broken = said(7) | {"id": ["no", "id"]}
    answer = await door.post("whatsapp", whatsapp(said(6), broken, said(8)))
    assert answer.status_code == 200
    assert {m.text for m in await door.stored()} == {"text 6", "text 8"}
    [letter] = await door.since.dead_letters()
    assert (letter.reason, letter.channel) == ("unknown_shape", "whatsapp")
    assert json.loads(letter.raw)["object"] == "whatsapp_business_account"


async def test_metas_calls_go_to_the_channel_they_are_for_whatever_their_address(door: Door) -> None:
    wall = next(body for body, _, rows in examples("facebook_wall") if rows and rows[0].get("text"))
    await door.post("messenger", wall)
    await door.post("instagram", whatsapp(said(1)))
    found = {(m.channel, m.account) for m in await door.stored()}
    assert found == {("facebook_wall", "facebook-wall-a"), ("whatsapp", "whatsapp-a")}


async def test_meta_is_given_its_challenge_back(door: Door) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444<script>", "hub.verify_token": "agreed"}
    for channel in hooks.META:
        path = f"/webhooks/{channel}/{ACCOUNTS[channel]}"
        right = await door.client.get(path, params=asked)
        assert (right.status_code, right.text) == (200, "1158201444<script>")
        assert right.headers["content-type"].startswith("text/plain")
        assert right.headers["x-content-type-options"] == "nosniff"
        for change in (
            {"hub.verify_token": "guessed"},
            {"hub.verify_token": ""},
            {"hub.mode": "unsubscribe"},
        ):
            assert (await door.client.get(path, params=asked | change)).status_code == 403


async def test_x_is_answered_with_the_signed_token(door: Door) -> None:
    answer = await door.client.get("/webhooks/x", params={"crc_token": "9b4507b3"})
    signature = hooks.headers("x", "older", b"9b4507b3")["x-twitter-webhooks-signature"]
    assert (answer.status_code, answer.json()) == (200, {"response_token": signature})
    assert (await door.client.get("/webhooks/x")).status_code == 400


async def test_what_has_no_challenge_is_not_found(door: Door) -> None:
    for path in ("/webhooks/viber", "/webhooks/nowhere", "/webhooks/whatsapp/other"):
        assert (await door.client.get(path)).status_code == 404


async def test_twilio_is_answered_with_markup_that_says_nothing(door: Door) -> None:
    answer = await door.post(
        "sms", urlencode({"MessageSid": "SM1", "From": "+48601100200", "Body": "Hi"}).encode()
    )
    assert (answer.status_code, answer.text) == (200, "<Response/>")
    assert answer.headers["content-type"].startswith("text/xml")


async def test_the_only_account_need_not_be_named(door: Door) -> None:
    body = json.dumps(
        {"event": "message", "message_token": 1, "sender": {"id": "A="}, "message": {"text": "Hi"}}
    )
    signed = hooks.headers("viber", SECRETS["viber"], body.encode())
    assert (await door.client.post("/webhooks/viber", content=body, headers=signed)).status_code == 200
    assert [m.account for m in await door.stored()] == ["viber-a"]


CALL = {
    "call_id": "pbx-77",
    "from": "+48221234567",
    "to": "+48225550100",
    "started_at": "2026-01-01T00:00:00Z",
}


async def test_every_state_of_a_call_is_an_event_under_the_call(door: Door) -> None:
    states = ("finished", "incoming", "answered", "recording", "incoming")
    for state in states:
        body = json.dumps(CALL | {"event": state, "updated_at": "2026-01-01T00:01:00Z"}).encode()
        signed = hooks.headers("call", SECRETS["call"], body)
        assert (await door.client.post("/calls", content=body, headers=signed)).status_code == 200
    found = await door.stored()
    assert sorted(m.fields["event"] for m in found) == ["answered", "finished", "incoming", "recording"]
    assert {(m.kind, m.target, m.conversation_key) for m in found} == {("call", "pbx-77", "+48221234567")}


WRONG = [
    ("/calls", {"event": "incoming"}, "call_id"),
    ("/calls", CALL | {"event": "exploded"}, "event"),
    ("/calls", CALL | {"duration_s": "long"}, "duration_s"),
    ("/calls", CALL | {"updated_at": "yesterday"}, "updated_at"),
    ("/ratings", {"ticket": 7, "score": "great"}, "score"),
    ("/ratings", {"ticket": "7", "score": "positive"}, "ticket"),
    ("/ratings", {"ticket": 7, "score": "positive", "comment": 7}, "comment"),
    ("/ratings", {"ticket": 7, "score": "positive", "at": "yesterday"}, "at"),
]


async def test_systems_are_told_what_to_correct(door: Door) -> None:
    for path, body, field in WRONG:
        bearer = {"Authorization": f"Bearer {SECRETS[path.strip('/').removesuffix('s')]}"}
        answer = await door.client.post(path, json=body, headers=bearer)
        assert (answer.status_code, [e["field"] for e in answer.json()["errors"]]) == (422, [field])
    assert (await door.since.messages(), await door.since.dead_letters()) == ([], [])


async def test_a_captured_call_of_a_system_is_refused_later(door: Door) -> None:
    body = json.dumps({"ticket": 7, "score": "positive"}).encode()
    old = (datetime.now(UTC) - timedelta(minutes=6)).timestamp()
    signed = hooks.headers("rating", SECRETS["rating"], body, at=old)
    answer = await door.client.post("/ratings", content=body, headers=signed)
    assert (answer.status_code, answer.json()["code"]) == (401, "stale")


def link(expires: timedelta = timedelta(days=7), secret: str = SECRETS["rating"], **changes: Any) -> str:
    rated = Rated(
        workspace="shop",
        account=ACCOUNTS["rating"],
        ticket=1001,
        answer="m-77",
        expires=int((datetime.now(UTC) + expires).timestamp()),
    )
    return rating_links.token(msgspec.structs.replace(rated, **changes), secret)


async def test_a_customer_rates_once_however_often_the_link_is_used(door: Door) -> None:
    url = f"/ratings/{link()}"
    for _ in range(3):
        page = await door.client.get(url, params={"score": "negative"})
        assert (page.status_code, 'value="negative" selected' in page.text) == (200, True)
    assert await door.since.messages() == []

    for comment in ("Too slow", "Too slow", "I press again"):
        answer = await door.client.post(url, data={"score": "negative", "comment": comment})
        assert (answer.status_code, "Thank you" in answer.text) == (200, True)
    found = await door.since.messages()
    assert len({(m.message_id, m.raw.sha256) for m in found if m.raw}) == 1
    first = found[0]
    assert (first.kind, first.target, first.text) == ("rating", "m-77", "Too slow")
    assert first.fields == {"ticket": "1001", "answer": "m-77", "score": "negative"}


async def test_links_that_are_forged_or_too_old_open_nothing(door: Door) -> None:
    claims, _, signature = link().partition(".")
    other = link(ticket=1002).partition(".")[0]
    forged = (
        f"{other}.{signature}",
        f"{claims}.{signature[:-2]}AA",
        claims,
        "x",
        "x.y",
        link(secret="guessed"),
    )
    for token in forged:
        assert (await door.client.get(f"/ratings/{token}")).status_code == 404
        posted = await door.client.post(f"/ratings/{token}", data={"score": "positive"})
        assert posted.status_code == 404
    old = await door.client.post(f"/ratings/{link(timedelta(seconds=-1))}", data={"score": "positive"})
    assert old.status_code == 410
    assert await door.since.messages() == []


async def test_accounts_are_told_apart_by_their_number_and_by_their_secret(
    broker: Broker, database: Dsns, tmp_path: Path
) -> None:
    numbers = {"one": "111", "two": "222", "theirs": "333"}
    accounts = [Account(channel="whatsapp", id=name, number=number) for name, number in numbers.items()]
    await configure(database, msgspec.structs.replace(SHOP, accounts=(*SHOP.accounts[:1], *accounts)))
    secrets = {"one": "ours", "two": "ours", "theirs": "of another app"}
    opened = tuple(
        Hook(workspace="shop", channel="whatsapp", account=name, secrets=(secret,))
        for name, secret in secrets.items()
    )
    async with running(settings(broker, database, tmp_path, hooks=opened)) as door:
        for index, number in enumerate(("111", "222", "333", "999")):
            body = whatsapp(said(index), number=number)
            signed = hooks.headers("whatsapp", "ours", body)
            answer = await door.client.post("/webhooks/whatsapp/one", content=body, headers=signed)
            assert answer.status_code == 200
        assert {(m.account, m.text) for m in await door.stored()} == {("one", "text 0"), ("two", "text 1")}
        assert [letter.reason for letter in await door.since.dead_letters()] == ["unknown_account"] * 2


async def test_one_channel_is_enough_and_what_has_no_secret_is_closed(
    broker: Broker, database: Dsns, tmp_path: Path
) -> None:
    accounts = (Account(channel="viber", id="bot"), Account(channel="sms", id="number"))
    await configure(database, msgspec.structs.replace(SHOP, accounts=accounts))
    hook = Hook(workspace="shop", channel="viber", account="bot", secrets=("token",))
    async with running(settings(broker, database, tmp_path, hooks=(hook,))) as door:
        [body, *_] = (body for body, _, rows in examples("viber") if rows)
        opened = await door.client.post(
            "/webhooks/viber/bot", content=body, headers=hooks.headers("viber", "token", body)
        )
        assert opened.status_code == 200
        form = b"MessageSid=SM1&From=%2B48601100200&Body=Hi"
        for secret in ("", "token"):
            signed = hooks.headers("sms", secret, form, f"{door.client.base_url}/webhooks/sms/number")
            closed = await door.client.post("/webhooks/sms/number", content=form, headers=signed)
            assert (closed.status_code, closed.json()["code"]) == (403, "closed")
        for channel in ("whatsapp", "telegram", "x", "call"):
            assert (await door.client.post(f"/webhooks/{channel}", content=b"{}")).status_code == 404
        assert len(await door.stored()) == 1


def test_every_signed_channel_is_tested_here() -> None:
    from ingest.channel import Verifies, channels

    assert {name for name, channel in channels().items() if isinstance(channel, Verifies)} == set(CHANNELS)
