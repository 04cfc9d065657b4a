"""Evidence that is withdrawn: a signing key leaked, and what only it had proven ends (example 16)."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import UUID

import msgspec
import pytest

from contracts.base import decoder, encode
from contracts.ids import workspace_id
from contracts.inbound import Handle, InboundMessage, Sender
from contracts.notification import Notification
from contracts.topics import INBOUND
from contracts.workspace import Workspace
from desk.evidence import withdraw
from identity.audit import differences
from identity.reexamination import Reexamination
from identity.worker import Identity
from ingest.channel import Raw, channels
from ingest.channels.chat import Said, SignedIn
from runtime.clock import Clock
from runtime.hosts.memory import MemoryProducer
from runtime.postgres import Database
from runtime.stage import Batch, Delivery, Record
from sinks.postgres.config_store import ConfigStore, WorkspaceCache
from tests.support.command import Command, frontdesk
from tests.support.desk import LONG_AGO, NOON, SHOP, running_desk, ticket
from tests.support.routing import DAY, NOW, WORKSPACE, message
from tests.support.system import Dsns
from tests.unit.identity.test_moves import OLD, USER, moves, writes

CONFIG = Workspace(slug="test", name="Test")


@pytest.fixture
async def customer(database: Dsns) -> Command:
    async with Database(database.app, max_size=1) as app:
        await ConfigStore(app).apply(CONFIG, "v1", by="test", effective_from=LONG_AGO)
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
            login("eva", "45", "eva@x.example", "k1"),
            login("eva-at-once", "45", "eva@x.example", "k2"),
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


def said(name: str, user: SignedIn) -> InboundMessage:
    """As the chat's door makes it."""
    body = encode(Said(visitor=f"v_{name}", user=user, cid=name, text="hello"))
    return channels()["chat"].normalise(Raw(body, WORKSPACE, "page", NOW)).messages[0]


def received(name: str, address: str, server: str, sealer: str | None = None) -> InboundMessage:
    """As the mail's door makes it, with the word of this server, or of who sealed what it saw."""
    said = f"dmarc=pass header.from={address.partition('@')[2]}"
    report = [f"Authentication-Results: {server}; {'arc=pass' if sealer else said}"]
    if sealer:
        report += [
            f"Received: from out.{sealer} by {server}; Mon, 5 Jan 2026 12:00:00 +0000",
            f"ARC-Seal: i=1; cv=none; d={sealer}; s=a; b=AA",
            f"ARC-Message-Signature: i=1; d={sealer}; h=from; b=AA",
            f"ARC-Authentication-Results: i=1; {sealer}; {said}",
        ]
    lines = (*report, f"From: {address}", f"Message-ID: <{name}@x.example>", "", "hello")
    options = {"authserv": server, "arc_sealers": sealer or ""}
    raw = Raw("\r\n".join(lines).encode(), WORKSPACE, "support", NOW, options=options)
    return channels()["email"].normalise(raw).messages[0]


async def test_doors_say_what_proves_somebody_so_that_it_can_be_withdrawn(
    database: Dsns, customer: Command
) -> None:
    async with Database(database.app, max_size=1) as app:
        await took(
            app,
            said("ann", SignedIn(id="41", email="ann@x.example", email_verified=True, key="k1")),
            said("ben", SignedIn(id="42", email="ben@x.example", email_verified=True, key="k2")),
            received("cem", "cem@x.example", "mx.one.example"),
            received("dee", "dee@x.example", "mx.two.example"),
            received("eva", "eva@x.example", "mx.two.example", "list.example"),
            received("fay", "fay@x.example", "mx.three.example", "list.example"),
        )
    for evidence, lost in (
        ("jwt:kid=k1", ["ann@x.example", "41"]),
        ("authserv=mx.one.example", ["cem@x.example"]),
        ("arc=list.example", ["eva@x.example", "fay@x.example"]),
        ("authserv=mx.two.example", ["dee@x.example"]),
        ("chat/page", ["ben@x.example", "42", "v_ann.1", "v_ben.1"]),
    ):
        [ended] = (await customer("revoke", "--evidence", evidence, "--reason", "leaked", "--json")).rows
        assert [link["value"] for link in ended["links"]] == lost, evidence


async def test_what_proved_a_link_before_it_ended_proves_it_no_more(database: Dsns) -> None:
    """A number is given up, and comes back to the same person by an account that lies."""
    async with Database(database.app, max_size=1) as app:
        await took(app, writes("before", OLD, USER, account="one"), moves())
        await took(app, writes("back", OLD, USER, account="two", received_at=NOW + DAY))
        held = "SELECT 1 FROM handles WHERE value = %s AND state = 'verified'"
        assert len(await app.fetch([WORKSPACE], held, [OLD])) == 1
        ended = await withdraw(app, Clock(NOW), CONFIG, "agent:lea", "webform/two", "it lied")
    assert [link.value for link in ended.links] == [OLD]


def merged_by_login(shop: UUID) -> list[InboundMessage]:
    """A mailbox and a login that are two customers, until the login shows the mailbox."""
    return [
        message("mail", email="ann@x.example", proof="verified", workspace=shop),
        login("chat", "41", None, "k1", workspace=shop),
        login("both", "41", "ann@x.example", "k1", workspace=shop),
    ]


async def test_whoever_works_on_the_tickets_concerned_is_told(database: Dsns) -> None:
    shop = workspace_id(SHOP.slug)
    async with running_desk(database) as desk:
        await took(
            desk.database,
            *merged_by_login(shop),
            login("other", "42", None, "k2", workspace=shop),
        )
        ((target,),) = await desk.rows("SELECT target FROM merges")
        ((other,),) = await desk.rows("SELECT customer_id FROM handles WHERE value = '42'")
        # While they were merged, tickets were written to what they were merged into.
        waits, solved = (
            ticket("support", customer=target),
            ticket("returns", customer=target, status="solved"),
        )
        for one in (waits, solved, ticket("support", customer=other)):
            await desk.add(one)
        ended = await withdraw(desk.database, Clock(NOW), SHOP, "agent:lea", "jwt:kid=k1", "leaked")
        assert (len(ended.unmerged), ended.tickets) == (1, sorted((waits.number, solved.number)))
        notes = await desk.rows("SELECT ticket_id, agent, text FROM notes ORDER BY text, ticket_id")
        text = "Who wrote this is not proven any more: `jwt:kid=k1` was withdrawn (leaked)."
        assert sorted(notes) == sorted((one.id, "agent:lea", text) for one in (waits, solved))
        ((told,),) = await desk.rows("SELECT payload FROM outbox WHERE aggregatetype = 'notification'")
        sent = decoder(Notification).decode(told)
        assert (sent.number, sent.group, sent.agents) == (waits.number, "support", ("ann", "cem"))
        assert sent.reason == "identity in doubt"
        again = await withdraw(desk.database, Clock(NOW), SHOP, "agent:lea", "jwt:kid=k1", "leaked")
        assert again.tickets == []
        assert len(await desk.rows("SELECT 1 FROM notes")) == 2


async def test_a_department_that_is_not_told_of_tickets_is_not_told_of_this(database: Dsns) -> None:
    support = msgspec.structs.replace(SHOP.departments[0], notify=False)
    shop = msgspec.structs.replace(SHOP, departments=(support, *SHOP.departments[1:]))
    async with running_desk(database) as desk:
        await took(desk.database, login("chat", "41", None, "k1", workspace=workspace_id(SHOP.slug)))
        ((customer_id,),) = await desk.rows("SELECT customer_id FROM handles")
        await desk.add(ticket("support", customer=customer_id))
        ended = await withdraw(desk.database, Clock(NOW), shop, "agent:lea", "jwt:kid=k1", "leaked")
        assert len(ended.tickets) == 1
        assert await desk.rows("SELECT 1 FROM outbox WHERE aggregatetype = 'notification'") == []


async def test_links_by_a_handle_that_became_shared_are_looked_at_again(database: Dsns) -> None:
    shop = workspace_id(SHOP.slug)
    async with running_desk(database) as desk:
        await took(
            desk.database,
            *merged_by_login(shop),
            message("ben", email="ben@firm.example", proof="verified", workspace=shop),
            message("eva", email="eva@x.example", proof="verified", workspace=shop),
            message("many", email="many@x.example", proof="verified", workspace=shop),
            login("c0-before", "c0", None, "k1", workspace=shop),
            *(login(f"c{n}", f"c{n}", "many@x.example", "k1", workspace=shop) for n in range(7)),
        )
        links = "SELECT value FROM handles WHERE state = 'verified' AND kind = 'email' ORDER BY 1"
        assert [value for (value,) in await desk.rows(links)] == [
            *("ann@x.example", "ben@firm.example", "eva@x.example"),
        ], "`many` was in dispute from the second login on"
        merges = "SELECT value, target FROM merges ORDER BY value"
        (_, target), (many, _) = await desk.rows(merges)
        assert many == "many@x.example", "it had made two into one before"
        waits = ticket("support", customer=target)
        await desk.add(waits)
        again = Reexamination(desk.database, Clock(NOON), [shop])
        await again.tick()
        assert await desk.rows(merges) == [("ann@x.example", target)]
        named = {"shared_handles": ("email:ann@x.example",), "own_domains": ("firm.example",)}
        await desk.configure(msgspec.structs.replace(SHOP, **named), "v2")
        await again.tick()
        assert [value for (value,) in await desk.rows(links)] == ["eva@x.example"]
        assert await desk.rows(merges) == []
        assert [one for (one,) in await desk.rows("SELECT ticket_id FROM notes")] == [waits.id]
        assert len(await desk.rows("SELECT 1 FROM outbox WHERE aggregatetype = 'notification'")) == 1
        assert await differences(desk.database, shop) == []
        await again.tick()
        assert len(await desk.rows("SELECT 1 FROM notes")) == 1
