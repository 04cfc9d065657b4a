"""Signed-in visitors at the chat's door: proven handles on the message, 401 for a wrong signature, and epochs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.inbound import InboundMessage
from contracts.workspace import Account
from ingest.chat_socket import UNAUTHORIZED
from ingest.chat_users import user_hash
from runtime import metrics
from runtime.settings import Hook, Settings
from tests.support.chat import connected, greeted
from tests.support.door import running
from tests.support.shop import SHOP, configure, settings
from tests.support.system import Broker, Dsns

SECRET = "widget-secret"
HOOK = Hook(workspace="shop", channel="chat", account="chat", secrets=(SECRET,))


async def prepared(broker: Broker, database: Dsns, folder: Path, **account: Any) -> Settings:
    chat = Account(channel="chat", id="chat", **account)
    await configure(database, msgspec.structs.replace(SHOP, accounts=(*SHOP.accounts, chat)))
    return settings(broker, database, folder, hooks=(HOOK,))


def user(name: str) -> dict[str, Any]:
    expires = int(time.time()) + 600
    return {"id": name, "expires": expires, "hash": user_hash(SECRET, "shop", "chat", name, expires)}


def handles(message: InboundMessage) -> list[tuple[str, str, str]]:
    return [(h.kind, h.value, h.proof) for h in message.sender.handles]


async def test_a_login_is_proven_and_begins_a_new_epoch(
    broker: Broker, database: Dsns, tmp_path: Path
) -> None:
    async with running(await prepared(broker, database, tmp_path)) as door:
        url = str(door.client.base_url)
        async with greeted(url) as (anonymous, first):
            await anonymous.say("before")
            await anonymous.until("ack")
        async with greeted(url, first["token"], user=user("ann")) as (ann, second):
            await ann.say("after")
            await ann.until("ack")
            assert second["visitor"] == first["visitor"]
            assert second["conversation"] != first["conversation"]
        async with greeted(url, second["token"]) as (_, logged_out):
            assert logged_out["visitor"] != first["visitor"]
        async with greeted(url, second["token"], user=user("ben")) as (_, other):
            assert other["visitor"] != first["visitor"]
        stored = {message.text: message for message in await door.stored()}
    assert handles(stored["before"]) == [("visitor", first["conversation"], "channel")]
    assert handles(stored["after"]) == [
        ("visitor", second["conversation"], "channel"),
        ("external_id", "ann", "authoritative"),
    ]
    assert stored["after"].fields["visitor_epoch"] == "2"


@pytest.mark.parametrize(("mode", "code"), [("enforce", UNAUTHORIZED), ("report", None), ("off", None)])
async def test_a_wrong_signature(
    broker: Broker, database: Dsns, tmp_path: Path, mode: str, code: int | None
) -> None:
    failures = metrics.signature_failures.labels("chat", "chat", "user.hash")
    before = failures._value.get()
    async with (
        running(await prepared(broker, database, tmp_path, signatures=mode)) as door,
        connected(str(door.client.base_url)) as widget,
    ):
        await widget.send({"t": "hello", "user": user("ann") | {"hash": "", "email": "ann@example.com"}})
        if code is not None:
            assert await widget.closed() == code
            assert [(f["t"], f["status"], f["field"]) for f in widget.heard] == [("error", 401, "user.hash")]
        else:
            await widget.until("welcome")
            await widget.say("Hello")
            await widget.until("ack")
            [message] = await door.stored()
            assert [kind for kind, _, _ in handles(message)] == ["visitor"]
    assert failures._value.get() - before == (0 if mode == "off" else 1)
