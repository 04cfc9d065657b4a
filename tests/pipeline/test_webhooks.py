"""Webhooks of every network over HTTP, on real Kafka and Postgres: what is genuine is stored once, all else leaves nothing."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from contracts.errors import Poison, Refused
from contracts.workspace import Account
from ingest.channel import Raw, Verifies, channels
from runtime.settings import Hook
from tests.support import hooks
from tests.support.door import ACCOUNTS, CHANNELS, SECRETS, Door, examples, running
from tests.support.shop import SHOP, WORKSPACE, configure, settings
from tests.support.system import Broker, Dsns

MUTANTS, AT_ONCE = 200, 10


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


async def test_a_signature_that_comes_twice_is_none(door: Door) -> None:
    body = whatsapp(said(1))
    [signed] = hooks.headers("whatsapp", SECRETS["whatsapp"], body).items()
    answer = await door.client.post("/webhooks/whatsapp", content=body, headers=[signed, signed])
    assert answer.status_code == 403


async def test_the_older_of_two_secrets_opens_as_well(door: Door) -> None:
    for channel in hooks.SIGNED:
        body, kind, _ = examples(channel)[0]
        assert (await door.post(channel, body, kind, secret="older")).status_code == 200, channel


@pytest.mark.parametrize("channel", CHANNELS)
async def test_damaged_calls_are_stored_parked_or_refused(door: Door, channel: str) -> None:
    """Genuine, but cut or changed, as if the provider had a fault: 2,000 calls in all, and each ends as the channel alone
    says."""
    chance, calls = random.Random(channel), examples(channel)
    sent = [(damaged(body, chance), kind) for body, kind, _ in chance.choices(calls, k=MUTANTS)]
    expected = [ended(channel, body, kind) for body, kind in sent]
    for start in range(0, len(sent), AT_ONCE):
        answers = await asyncio.gather(
            *(door.post(channel, body, kind) for body, kind in sent[start : start + AT_ONCE])
        )
        for answer, (refused, _, _) in zip(answers, expected[start:], strict=False):
            assert answer.status_code == (refused or 200), answer.text
    stored = {(message.channel, message.provider_id) for message in await door.since.messages()}
    assert stored == {event for _, events, _ in expected for event in events}
    letters = {(letter.reason, letter.raw) for letter in await door.since.dead_letters()}
    assert letters == {part for _, _, parked in expected for part in parked}


Ended = tuple[int, set[tuple[str, str]], set[tuple[str, bytes]]]


def ended(channel: str, body: bytes, kind: str) -> Ended:
    """What a call ends as: the status it is refused with, or its events, and what is parked of it."""
    raw = Raw(body, WORKSPACE, ACCOUNTS[channel], datetime.now(UTC), content_type=kind)
    try:
        found = channels()[channel].normalise(raw)
    except Refused as error:
        return error.status, set(), set()
    except Poison as error:
        return 0, set(), {(error.reason, body)}
    events = {(message.channel, message.provider_id) for message in found.messages}
    return 0, events, {(part.reason, part.body) for part in found.unread}


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


def test_every_network_is_tested_here() -> None:
    called = {name for name, channel in channels().items() if isinstance(channel, Verifies)}
    # Mail by a provider's webhook has tests of its own.
    assert called - {"email"} == set(CHANNELS)
