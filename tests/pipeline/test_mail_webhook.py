"""Mail posted by a provider, over HTTP: on the topic when it is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from runtime.settings import Hook
from tests.support import hooks
from tests.support.door import Door, running
from tests.support.shop import configure, settings
from tests.support.system import Broker, Dsns

SECRET = "mail-secret"
MAIL = b"From: ann@example.com\r\nTo: support@shop.example\r\nMessage-ID: <1@example.com>\r\nSubject: Order\r\n\r\nHello\r\n"
PATH = "/webhooks/email/support"


@pytest.fixture
async def door(broker: Broker, database: Dsns, tmp_path: Path) -> AsyncIterator[Door]:
    await configure(database)
    hook = Hook(workspace="shop", channel="email", account="support", secrets=(SECRET,))
    async with running(settings(broker, database, tmp_path, hooks=(hook,))) as found:
        yield found


async def test_a_signed_mail_is_taken_once_however_often_it_comes(door: Door) -> None:
    for _ in range(2):
        signed = hooks.headers("call", SECRET, MAIL)
        answer = await door.client.post(
            PATH, content=MAIL, headers={"content-type": "message/rfc822"} | signed
        )
        assert answer.status_code == 200
    (found,) = await door.stored()
    assert (found.channel, found.account, found.subject) == ("email", "support", "Order")


async def test_an_unsigned_one_leaves_nothing(door: Door) -> None:
    for headers in ({}, hooks.headers("call", "guessed", MAIL)):
        answer = await door.client.post(
            PATH, content=MAIL, headers={"content-type": "message/rfc822"} | headers
        )
        assert answer.status_code == 403
    assert await door.since.messages() == []


async def test_a_form_without_a_mail_is_parked(door: Door) -> None:
    body = b"text=parsed+already"
    signed = hooks.headers("call", SECRET, body)
    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert (await door.client.post(PATH, content=body, headers=kind | signed)).status_code == 200
    (letter,) = await door.since.dead_letters()
    assert (letter.reason, letter.raw) == ("no_mail", body)
