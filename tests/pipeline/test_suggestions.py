"""Suggestions from messages to the desk: found by a shared block, ranked with evidence, and gone when rejected."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

import pytest

from contracts.base import encode
from contracts.ids import customer_id, workspace_id
from contracts.inbound import Handle, InboundMessage, Sender
from contracts.topics import INBOUND
from identity.audit import differences
from identity.worker import Identity
from runtime.clock import Clock
from runtime.hosts.memory import MemoryProducer
from runtime.postgres import Database
from runtime.stage import Batch, Delivery, Record
from sinks.postgres.config_store import ConfigStore, WorkspaceCache
from tests.support.command import frontdesk
from tests.support.desk import SHOP, Desk, running_desk
from tests.support.routing import NOW, message
from tests.support.system import Dsns

WORKSPACE = workspace_id(SHOP.slug)
WHY = {"reason": "father and son"}


@pytest.fixture
async def desk(database: Dsns) -> AsyncIterator[Desk]:
    async with running_desk(database) as desk:
        yield desk


def mail(address: str, name: str | None = None, of: UUID = WORKSPACE, **fields: str) -> InboundMessage:
    sender = Sender(handles=(Handle(kind="email", value=address, proof="verified"),), display_name=name)
    return message(f"{of}{address}", workspace=of, channel="email", sender=sender, fields=fields)


async def took(database: Database, *messages: InboundMessage) -> None:
    stage = Identity(database, MemoryProducer(), WorkspaceCache(ConfigStore(database), Clock(NOW)))
    records = [Record(INBOUND.name, 0, offset, b"key", encode(one)) for offset, one in enumerate(messages)]
    await stage.run(Batch([Delivery(*pair) for pair in zip(records, messages, strict=True)]))


def founded_by(address: str) -> str:
    return str(customer_id(WORKSPACE, True, "email", address))


async def test_who_may_be_the_same_is_shown_until_it_is_rejected(desk: Desk, database: Dsns) -> None:
    crowd = [mail(f"person{n}@crowd.example", f"Ann Person{n}") for n in range(60)]
    await took(
        desk.database,
        *crowd,
        mail("j.ivanov@gmail.com", "Jan Ivanov", order_number="1042"),
        mail("jivanov@gmail.com", "Ivanov Jan"),
        mail("jan.ivanov@firm.example", "Jan Ivanov", order_number="#1042"),
        mail("jan@elsewhere.example", "Jan Ivanov"),
        mail("j.ivanov@gmail.com", "Jan Ivanov", of=workspace_id("other"), order_number="1042"),
    )
    one, alias, order = map(
        founded_by, ("j.ivanov@gmail.com", "jivanov@gmail.com", "jan.ivanov@firm.example")
    )
    async with await desk.client("lea", "lead") as lea:
        path = "/customers/email:j.ivanov@gmail.com/suggestions"
        found = (await lea.get(path)).json()
        assert {each["customer"] for each in found} == {alias, order}, "a name alone is none"
        signals = {each["customer"]: {e["signal"] for e in each["evidence"]} for each in found}
        assert "alias_of_email" in signals[alias]
        assert "same_order" in signals[order]
        assert [each["score"] for each in found] == sorted((each["score"] for each in found), reverse=True)
        assert (await lea.get("/customers/email:person7@crowd.example/suggestions")).json() == []

        rejected = await lea.post(f"/customers/{one}/reject", json={"other": alias, **WHY})
        assert rejected.status_code == 204
        assert [each["customer"] for each in (await lea.get(path)).json()] == [order]
        backwards = (await lea.get("/customers/email:jivanov@gmail.com/suggestions")).json()
        assert one not in {each["customer"] for each in backwards}
        assert (await lea.post(f"/customers/{order}/merge", json={"into": one, **WHY})).is_success
        assert (await lea.get(path)).json() == [], "who is merged, and whom they were parted from"
    async with await desk.client("ben") as ben:
        assert (await ben.get(path)).status_code == 403
    assert await differences(desk.database, WORKSPACE) == []


async def test_the_command_does_the_same(desk: Desk, database: Dsns) -> None:
    await took(desk.database, mail("j.ivanov@gmail.com"), mail("jivanov@gmail.com"))
    customer = partial(frontdesk, "customer", postgres=database.app, workspace="shop")
    [found] = (await customer("suggestions", "email:jivanov@gmail.com", "--json")).rows
    assert found["customer"] == founded_by("j.ivanov@gmail.com")
    named = ("email:jivanov@gmail.com", "email:j.ivanov@gmail.com")
    assert (await customer("reject", *named)).code == 1, "without a reason"
    assert (await customer("reject", *named, "--reason", "twins")).code == 0
    assert (await customer("suggestions", "email:jivanov@gmail.com", "--json")).rows == []
