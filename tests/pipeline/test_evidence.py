"""Evidence that is withdrawn: a signing key leaked, and what only it had proven ends (example 16)."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
import pytest

from contracts.base import encode
from contracts.inbound import Handle, InboundMessage, Sender
from contracts.topics import INBOUND
from identity.audit import differences
from identity.worker import Identity
from runtime.clock import Clock
from runtime.hosts.memory import MemoryProducer
from runtime.postgres import Database
from runtime.stage import Batch, Delivery, Record
from sinks.postgres.config_store import ConfigStore, WorkspaceCache
from tests.support.command import Command, frontdesk
from tests.support.routing import DAY, NOW, WORKSPACE, message
from tests.support.system import Dsns


@pytest.fixture
def customer(database: Dsns) -> Command:
    return partial(frontdesk, "customer", postgres=database.app, workspace="test")


def login(name: str, account: str, email: str | None, key: str, **given: Any) -> InboundMessage:
    """A chat of somebody whose page signed, with this key, who they are."""
    evidence = f"jwt:kid={key}"
    handles = [Handle(kind="external_id", value=account, proof="authoritative", evidence=evidence)]
    if email:
        handles.append(Handle(kind="email", value=email, proof="verified", evidence=evidence))
    return message(name, channel="chat", account="page", sender=Sender(handles=tuple(handles)), **given)


def mail(name: str, address: str) -> InboundMessage:
    return message(name, channel="email", account="support", email=address, proof="verified")


async def took(database: Database, *messages: InboundMessage) -> None:
    stage = Identity(database, MemoryProducer(), WorkspaceCache(ConfigStore(database), Clock(NOW)))
    for offset, one in enumerate(messages):
        await stage.run(Batch([Delivery(Record(INBOUND.name, 0, offset, b"key", encode(one)), one)]))


async def test_what_only_a_leaked_key_proved_ends(database: Dsns, customer: Command) -> None:
    async with Database(database.app, max_size=1) as app:
        await took(
            app,
            mail("ann-mails", "ann@x.example"),
            login("ann", "41", None, "k1"),
            login("ann-again", "41", "ann@x.example", "k1"),
            login("ben", "42", "ben@x.example", "k1"),
            login("cem", "43", "cem@x.example", "k1"),
            login("cem-later", "43", "cem@x.example", "k2", received_at=NOW + 2 * DAY),
            login("dee", "44", "dee@x.example", "k2"),
        )
        handles = "SELECT kind, value, state FROM handles WHERE workspace = %s ORDER BY 1, 2"
        before = await app.fetch([WORKSPACE], handles, [WORKSPACE])
        assert {state for *_, state in before} == {"verified"}
        assert await app.fetch([WORKSPACE], "SELECT count(*) FROM merges") == [(1,)]

        assert (await customer("revoke", "--evidence", "jwt:kid=k1")).code == 1, "without a reason"
        [ended] = (await customer("revoke", "--evidence", "jwt:kid=k1", "--reason", "leaked", "--json")).rows
        assert [(link["kind"], link["value"]) for link in ended["links"]] == [
            ("email", "ben@x.example"),
            ("external_id", "41"),
            ("external_id", "42"),
        ]
        assert len(ended["unmerged"]) == 1
        revoked = {(link["kind"], link["value"]) for link in ended["links"]}
        assert await app.fetch([WORKSPACE], handles, [WORKSPACE]) == [
            (kind, value, "revoked" if (kind, value) in revoked else state) for kind, value, state in before
        ]
        assert await app.fetch([WORKSPACE], "SELECT count(*) FROM merges") == [(0,)]
        assert await differences(app, WORKSPACE) == []
        [again] = (await customer("revoke", "--evidence", "jwt:kid=k1", "--reason", "leaked", "--json")).rows
        assert again == {"links": [], "unmerged": [], "tickets": []}

        await took(app, login("ben-next", "42", None, "k2"))
        (made,) = await app.fetch(
            [WORKSPACE],
            "SELECT generation FROM customers WHERE founding_value = '42' ORDER BY 1 DESC LIMIT 1",
        )
        assert made == (1,), "who comes by what ended is somebody new"


async def test_an_account_is_evidence_too(database: Dsns, customer: Command) -> None:
    chat = message(
        "hello",
        channel="telegram",
        account="bot",
        handles=(Handle(kind="telegram_user", value="7", proof="channel"),),
    )
    async with Database(database.app, max_size=1) as app:
        await took(app, chat, mail("ann", "ann@x.example"))
    [ended] = (
        await customer("revoke", "--evidence", "telegram/bot", "--reason", "taken over", "--json")
    ).rows
    assert [(link["kind"], link["value"]) for link in ended["links"]] == [("telegram_user", "7")]
    assert msgspec.json.encode(ended["tickets"]) == b"[]"
