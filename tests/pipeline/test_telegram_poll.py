"""Long poll against a local Bot API: Telegram keeps an update until Kafka has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from contracts.errors import Transient
from ingest.channels.telegram import UPDATES
from ingest.telegram_poll import TelegramService
from runtime.kafka import Producer
from runtime.settings import Bot
from tests.support.bot_api import TOKEN, BotApi, running
from tests.support.shop import configure, settings
from tests.support.system import Broker, Dsns
from tests.support.topics import Since

Start = Callable[..., Any]


@pytest.fixture
async def api() -> AsyncIterator[BotApi]:
    async with running() as server:
        yield server


@pytest.fixture
async def since(broker: Broker, database: Dsns) -> Since:
    await configure(database)
    return await Since.now(broker.bootstrap)


@pytest.fixture
def polling(broker: Broker, database: Dsns, api: BotApi, tmp_path: Path) -> Start:
    """A process that polls the bot, for the length of a block."""

    @asynccontextmanager
    async def start() -> AsyncIterator[None]:
        bot = Bot(workspace="shop", account="bot", token=TOKEN, poll=True)
        service = TelegramService(settings(broker, database, tmp_path, bots=(bot,), telegram_api=api.url))
        task = asyncio.create_task(service.run())
        try:
            yield
        finally:
            await service.stop()
            await asyncio.wait_for(task, 20)

    return start


def update(number: int, text: str = "hello") -> dict[str, Any]:
    person = {"id": 77, "is_bot": False, "first_name": "Ann"}
    chat = {"id": 77, "type": "private", "first_name": "Ann"}
    message = {"message_id": number, "date": 1767225600 + number, "from": person, "chat": chat, "text": text}
    return {"update_id": 1000 + number, "message": message}


async def confirmed(api: BotApi, count: int) -> None:
    async with asyncio.timeout(30):
        while True:
            if len(api.confirmed) >= count:
                return
            await asyncio.sleep(0.02)


async def test_waiting_and_new_updates_arrive_in_order_and_are_confirmed(
    polling: Start, api: BotApi, since: Since
) -> None:
    api.arrive(*(update(n, f"text {n}") for n in range(150)))
    async with polling():
        await confirmed(api, 150)
        api.arrive(update(150, "text 150"))
        found = await since.at_least(151)

    assert [m.text for m in found] == [f"text {n}" for n in range(151)]
    assert {(m.channel, m.account, m.store) for m in found} == {("telegram", "bot", "a")}
    asked = next(arguments for method, arguments in api.calls if method == "getUpdates")
    assert all(kind in asked["allowed_updates"] for kind in UPDATES)


async def test_nothing_is_confirmed_before_kafka_has_it(
    polling: Start, api: BotApi, since: Since, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, failures = Producer.send_all, [Transient("kafka: away"), Transient("kafka: away")]
    confirmed_at_failure: list[int] = []

    async def failing(self: Producer, records: Any) -> Any:
        if failures:
            confirmed_at_failure.extend(api.confirmed)
            raise failures.pop()
        return await send(self, records)

    monkeypatch.setattr(Producer, "send_all", failing)
    api.arrive(update(1))
    async with polling():
        await confirmed(api, 1)

    assert confirmed_at_failure == []
    assert [m.text for m in await since.messages()] == ["hello"]


async def test_update_ids_that_begin_anew_below_the_last_one_are_taken(
    polling: Start, api: BotApi, since: Since
) -> None:
    api.arrive(update(500))
    async with polling():
        await confirmed(api, 1)
    api.arrive(update(3, "after a silent week"))
    async with polling():
        found = await since.at_least(2)

    assert found[-1].text == "after a silent week"


async def test_a_webhook_that_is_set_is_removed_once(polling: Start, api: BotApi, since: Since) -> None:
    api.webhook = "https://old.example/hook"
    api.arrive(update(1))
    async with polling():
        await confirmed(api, 1)

    assert [method for method, _ in api.calls].count("deleteWebhook") == 1


@pytest.mark.parametrize(
    "refusal",
    [
        {
            "ok": False,
            "error_code": 429,
            "description": "Too Many Requests",
            "parameters": {"retry_after": 1},
        },
        {"ok": False, "error_code": 409, "description": "Conflict: terminated by other getUpdates request"},
        {"ok": False, "error_code": 500, "description": "Internal Server Error"},
    ],
    ids=["429", "409", "500"],
)
async def test_a_refusal_is_waited_out(
    polling: Start, api: BotApi, since: Since, refusal: dict[str, Any]
) -> None:
    api.refusals = [refusal]
    api.arrive(update(1))
    async with polling():
        await confirmed(api, 1)

    assert "deleteWebhook" not in [method for method, _ in api.calls]


async def test_an_update_that_cannot_be_read_is_parked_and_confirmed(
    polling: Start, api: BotApi, since: Since
) -> None:
    api.arrive({"update_id": 7, "message": "not an object"}, update(8))
    async with polling():
        await confirmed(api, 2)

    assert [m.text for m in await since.messages()] == ["hello"]
    [letter] = await since.dead_letters()
    assert (letter.reason, letter.channel) == ("unknown_shape", "telegram")


async def test_no_token_in_the_log(
    polling: Start, api: BotApi, since: Since, capfd: pytest.CaptureFixture[str]
) -> None:
    api.refusals = [{"ok": False, "error_code": 401, "description": "Unauthorized"}]
    api.arrive(update(1))
    async with polling():
        await confirmed(api, 1)

    output = capfd.readouterr()
    assert "source lost" in output.out + output.err
    assert TOKEN not in output.out + output.err
