"""The HTTP door on real Kafka and Postgres: a 2xx means stored, everything else means not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from contracts.errors import Transient
from contracts.ids import receipt
from ingest import form_guard
from ingest.gateway_service import GatewayService
from ingest.spool import pending
from runtime.kafka import Producer
from runtime.settings import Bot, Settings
from tests.support.shop import WORKSPACE, configure, settings
from tests.support.system import Broker, Dsns, eventually
from tests.support.topics import Since

SECRET = "hook-secret"
FORM = "/forms/contact/submissions"
BODY = {
    "name": "Ann Lee",
    "email": "ann@example.com",
    "message": "Where is my order?",
    "department": "billing",
}
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def door(broker: Broker, database: Dsns, tmp_path: Path) -> Settings:
    bot = Bot(workspace="shop", account="bot", secret=SECRET)
    return settings(broker, database, tmp_path, bots=(bot,))


@pytest.fixture
async def since(broker: Broker, database: Dsns) -> Since:
    await configure(database)
    return await Since.now(broker.bootstrap)


@pytest.fixture
async def service(door: Settings, since: Since) -> AsyncIterator[GatewayService]:
    gateway = GatewayService(door)
    task = asyncio.create_task(gateway.run())
    try:
        yield gateway
    finally:
        await gateway.stop()
        await asyncio.wait_for(task, 20)


@pytest.fixture
async def client(service: GatewayService) -> AsyncIterator[httpx.AsyncClient]:
    url = f"http://127.0.0.1:{await service.port()}"
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
        async with asyncio.timeout(30):
            while True:
                if (await client.get("/forms/contact")).status_code == 200:
                    break
                await asyncio.sleep(0.05)
        yield client


def update(number: int, **changes: Any) -> dict[str, Any]:
    person = {"id": 77, "is_bot": False, "first_name": "Ann"}
    message = {
        "message_id": number,
        "date": 1767225600,
        "from": person,
        "chat": {"id": 77, "type": "private"},
    }
    return {"update_id": number, "message": message | {"text": "hello"} | changes}


async def test_a_submission_is_on_the_topic_before_it_is_answered(
    client: httpx.AsyncClient, since: Since
) -> None:
    answer = await client.post(FORM, json=BODY | {"fields": {"order_number": "A-17"}})
    [message] = await since.messages()

    assert answer.status_code == 202
    assert answer.json() == {"receipt": receipt(message.message_id)}
    assert (message.workspace, message.account, message.store) == (WORKSPACE, "contact", "a")
    assert [(h.kind, h.value, h.proof) for h in message.sender.handles] == [
        ("email", "ann@example.com", "claimed")
    ]
    assert message.fields == {"department": "billing", "order_number": "A-17"}


async def test_the_form_works_without_script_and_a_double_press_is_one_message(
    client: httpx.AsyncClient, since: Since
) -> None:
    page = await client.get("/forms/contact")
    assert "Billing &amp; returns" in page.text
    assert "Backroom" not in page.text
    assert "<script" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    hidden = page.text.partition('name="submission_id" value="')[2].partition('"')[0]
    sent = BODY | {"submission_id": hidden, "website": ""}
    await asyncio.sleep(form_guard.LEAST_TIME.total_seconds())

    first, second = [await client.post(FORM, data=sent, headers=BROWSER) for _ in range(2)]
    assert first.status_code == second.status_code == 202
    assert first.text == second.text
    assert "Your receipt number" in first.text
    assert len({m.message_id for m in await since.messages()}) == 1


async def test_files_come_as_attachments_with_their_bytes_archived(
    client: httpx.AsyncClient, since: Since, door: Settings
) -> None:
    answer = await client.post(
        FORM, data=BODY, files={"file": ("photo.png", b"\x89PNG\x00" * 10, "image/png")}
    )
    [message] = await since.messages()
    [attachment] = message.attachments

    assert answer.status_code == 202
    assert (attachment.name, attachment.type, attachment.size) == ("photo.png", "image/png", 50)
    assert attachment.sha256 is not None
    assert (door.archive / attachment.sha256[:2] / attachment.sha256).read_bytes() == b"\x89PNG\x00" * 10


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"message": ""}, "message"),
        ({"message": "x" * 20_001}, "message"),
        ({"email": "nobody"}, "email"),
        ({"name": "x" * 201}, "name"),
        ({"subject": "x" * 501}, "subject"),
        ({"department": 7}, "department"),
        ({"fields": ["A-17"]}, "fields"),
    ],
)
async def test_what_must_be_corrected_is_named(
    client: httpx.AsyncClient, since: Since, change: dict[str, Any], field: str
) -> None:
    answer = await client.post(FORM, json=BODY | change)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert await since.messages() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'{"message": "\\ud800"}', b"[" * 100_000])
async def test_what_nobody_can_read_is_refused(client: httpx.AsyncClient, since: Since, body: bytes) -> None:
    answer = await client.post(FORM, content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 400
    assert (await since.messages(), await since.dead_letters()) == ([], [])


async def test_a_body_over_the_limit_is_not_read_to_its_end(client: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * (1 << 20)

    try:
        answer = await client.post(FORM, content=endless())
    except httpx.WriteError:
        return  # the door hung up while we were still sending
    assert answer.status_code == 413


async def test_one_key_one_body(client: httpx.AsyncClient, since: Since) -> None:
    key = {"Idempotency-Key": "7c0b"}
    first = await client.post(FORM, json=BODY, headers=key)
    again = await client.post(FORM, json=BODY, headers=key)
    other = await client.post(FORM, json=BODY | {"message": "another"}, headers=key)

    assert (first.status_code, again.status_code, other.status_code) == (202, 202, 422)
    assert first.json() == again.json()
    assert other.json()["code"] == "idempotency_key_reused"
    assert {m.text for m in await since.messages()} == {BODY["message"]}


async def test_without_a_key_every_submission_is_a_message(client: httpx.AsyncClient, since: Since) -> None:
    await asyncio.gather(*(client.post(FORM, json=BODY) for _ in range(40)))

    assert len({m.message_id for m in await since.messages()}) == 40


async def test_a_filled_honeypot_is_held_and_answered_alike(client: httpx.AsyncClient, since: Since) -> None:
    answer = await client.post(FORM, json=BODY | {"website": "https://spam.example"})
    [letter] = await since.dead_letters()

    assert answer.status_code == 202
    assert set(answer.json()) == {"receipt"}
    assert (letter.reason, letter.disposition, letter.account) == ("spam_hold", "suppressed", "contact")
    assert msgspec.json.decode(letter.raw)["website"] == "https://spam.example"
    assert await since.messages() == []


async def test_unknown_forms_and_hooks_are_not_found(client: httpx.AsyncClient) -> None:
    secret = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    assert (await client.get("/forms/nowhere")).status_code == 404
    assert (await client.post("/forms/nowhere/submissions", json=BODY)).status_code == 404
    assert (await client.post("/webhooks/telegram/other", json=update(1), headers=secret)).status_code == 404
    assert (await client.post("/webhooks/webform/contact", json=BODY)).status_code == 404


async def test_only_listed_origins_may_post_from_a_page(client: httpx.AsyncClient) -> None:
    def preflight(origin: str) -> Any:
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        return client.options(FORM, headers=asked)

    listed, other = await preflight("https://shop.example"), await preflight("https://evil.example")
    assert listed.headers["access-control-allow-origin"] == "https://shop.example"
    assert "access-control-allow-origin" not in other.headers
    posted = await client.post(FORM, json={}, headers={"Origin": "https://shop.example"})
    assert (posted.status_code, posted.headers["access-control-allow-origin"]) == (
        422,
        "https://shop.example",
    )


@pytest.mark.parametrize("token", [None, "", "wrong", SECRET + "x", SECRET[:-1]])
async def test_a_webhook_without_the_secret_leaves_nothing(
    client: httpx.AsyncClient, since: Since, token: str | None
) -> None:
    headers = {} if token is None else {"X-Telegram-Bot-Api-Secret-Token": token}
    answer = await client.post("/webhooks/telegram/bot", json=update(1), headers=headers)

    assert answer.status_code == 403
    assert (await since.messages(), await since.dead_letters()) == ([], [])


async def test_a_webhook_is_taken_in_and_what_is_genuine_but_unknown_is_parked(
    client: httpx.AsyncClient, since: Since
) -> None:
    headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
    good = await client.post("/webhooks/telegram/bot", json=update(1), headers=headers)
    odd = await client.post("/webhooks/telegram/bot", content=b"not json", headers=headers)

    assert (good.status_code, odd.status_code) == (200, 200)
    assert [m.provider_id for m in await since.messages()] == ["77:1"]
    [letter] = await since.dead_letters()
    assert (letter.reason, letter.raw) == ("undecodable", b"not json")


async def test_the_callers_trace_goes_on(client: httpx.AsyncClient, since: Since) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    await client.post(FORM, json=BODY, headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
    [message] = await since.messages()

    assert message.trace is not None
    assert message.trace.split("-")[1] == trace


async def test_nul_and_long_texts_survive_as_postgres_and_kafka_can_hold_them(
    client: httpx.AsyncClient, since: Since
) -> None:
    answer = await client.post(FORM, json=BODY | {"message": "a\0b \\u0000 " + "ł" * 10_000})
    [message] = await since.messages()

    assert answer.status_code == 202
    assert message.text is not None
    assert message.text.startswith("a\ufffdb \\u0000 łłł")


async def test_a_form_may_be_sent_to_its_own_page(client: httpx.AsyncClient, since: Since) -> None:
    answer = await client.post("/forms/contact", json=BODY)
    [message] = await since.messages()

    assert (answer.status_code, message.channel) == (202, "webform")


async def test_while_kafka_is_away_forms_are_spooled_in_order_and_webhooks_sent_back(
    client: httpx.AsyncClient, since: Since, door: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(self: Producer, records: Any) -> None:
        raise Transient("kafka: away")

    with monkeypatch.context() as outage:
        outage.setattr(Producer, "send_all", away)
        for number in range(5):
            answer = await client.post(FORM, json=BODY | {"message": f"text {number}"})
            assert answer.status_code == 202
        headers = {"X-Telegram-Bot-Api-Secret-Token": SECRET}
        hook = await client.post("/webhooks/telegram/bot", json=update(1), headers=headers)
        assert (hook.status_code, "retry-after" in hook.headers) == (503, True)
        assert pending(door.spool) == 5
        assert await since.messages() == []

    await eventually(lambda: pending(door.spool) == 0)
    assert [m.text for m in await since.messages()] == [f"text {number}" for number in range(5)]
    await client.post(FORM, json=BODY | {"message": "text 5"})
    assert [m.text for m in await since.messages()][-1] == "text 5"


async def test_a_draining_door_sends_callers_elsewhere(
    service: GatewayService, client: httpx.AsyncClient, since: Since
) -> None:
    service._gateway.draining = True
    answer = await client.post(FORM, json=BODY)

    assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
    assert await since.messages() == []


async def test_who_is_faster_than_a_person_is_held_and_answered_alike(
    client: httpx.AsyncClient, since: Since
) -> None:
    page = await client.get("/forms/contact")
    hidden = page.text.partition('name="submission_id" value="')[2].partition('"')[0]
    answer = await client.post(FORM, json=BODY | {"submission_id": hidden})
    [letter] = await since.dead_letters()

    assert answer.status_code == 202
    assert set(answer.json()) == {"receipt"}
    assert (letter.reason, letter.detail, letter.disposition) == ("spam_hold", "too_fast", "suppressed")
    assert letter.headers["idempotency-key"] == hidden
    assert await since.messages() == []


async def test_who_sends_too_much_is_held_and_others_are_not(client: httpx.AsyncClient, since: Since) -> None:
    flood, other = {"X-Forwarded-For": "198.51.100.9"}, {"X-Forwarded-For": "198.51.100.10"}
    for number in range(25):
        answer = await client.post(FORM, json={"message": f"buy {number}"}, headers=flood)
        assert answer.status_code == 202
    assert (await client.post(FORM, json=BODY, headers=other)).status_code == 202

    assert len(await since.messages()) == 20 + 1
    assert [letter.detail for letter in await since.dead_letters()] == ["rate"] * 5


async def test_a_file_sent_twice_with_another_boundary_is_one_message(
    client: httpx.AsyncClient, since: Since
) -> None:
    files = {"files": ("photo.png", b"\x89PNG", "image/png")}
    key = {"Idempotency-Key": "boundary-1"}
    answers = [await client.post(FORM, data=BODY, files=files, headers=key) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [202, 202]
    first, *again = await since.messages()
    assert [m.message_id for m in again] == [first.message_id]
    assert {m.raw.sha256 for m in again if m.raw} == {first.raw.sha256 if first.raw else None}


async def test_a_form_to_be_corrected_comes_back_with_what_was_written(
    client: httpx.AsyncClient, since: Since
) -> None:
    sent = BODY | {
        "email": "ann@",
        "name": '<b>"Ann"',
        "submission_id": "mine",
        "locale": "nb",
        "category": "x",
    }
    answer = await client.post(FORM, data=sent, headers=BROWSER)

    assert answer.status_code == 422
    assert 'aria-describedby="email-error"' in answer.text
    assert "Dette er ikke en hel e-postadresse" in answer.text
    assert 'value="mine"' in answer.text
    assert "&lt;b&gt;&quot;Ann&quot;" in answer.text
    assert "Where is my order?</textarea>" in answer.text
    assert '<option value="billing" selected>' in answer.text
    assert await since.messages() == []


async def test_what_was_edited_after_it_was_sent_can_be_sent_anew(
    client: httpx.AsyncClient, since: Since
) -> None:
    sent = BODY | {"submission_id": "once"}
    assert (await client.post(FORM, data=sent, headers=BROWSER)).status_code == 202
    answer = await client.post(FORM, data=sent | {"message": "More"}, headers=BROWSER)

    assert answer.status_code == 422
    assert "You have sent this form before" in answer.text
    fresh = answer.text.partition('name="submission_id" value="')[2].partition('"')[0]
    assert fresh not in ("", "once")


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", "", "en"),
        ("?lang=tr-TR", "pl", "tr"),
        ("?lang=xx", "de;q=0.9, lt;q=0.8, pl;q=0.7", "lt"),
        ("", "no", "nb"),
        ("", "nn-NO, en;q=0.5", "nb"),
        ("", "pl;q=0, en;q=0.1", "en"),
        ("?lang=%00" + "x" * 500, "*, ;;q=, tr;q=9", "en"),
    ],
)
async def test_the_page_speaks_the_visitors_language(
    client: httpx.AsyncClient, query: str, header: str, language: str
) -> None:
    answer = await client.get(f"/forms/contact{query}", headers={"Accept-Language": header})
    assert f'<html lang="{language}">' in answer.text


async def test_the_script_is_served_with_its_style_and_may_be_kept(client: httpx.AsyncClient) -> None:
    script = await client.get("/embed/form.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cache-control"] == "public, max-age=3600"
    assert "--frontdesk-accent" in script.text
    again = await client.get("/embed/form.js", headers={"If-None-Match": script.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_a_definition_offers_what_is_public(client: httpx.AsyncClient) -> None:
    origin = {"Origin": "https://shop.example"}
    answer = await client.get("/forms/contact/definition?lang=pl", headers=origin)
    found = answer.json()

    assert answer.headers["access-control-allow-origin"] == "https://shop.example"
    assert found["departments"] == [{"id": "billing", "name": "Billing & returns"}]
    assert found["categories"] == [{"path": "Billing/Invoices", "department": "billing"}]
    assert (found["title"], found["language"]) == ("Kontakt: Shop A", "pl")
    assert (await client.get("/forms/nowhere/definition")).status_code == 404
