"""Mail leaves: from the outbox over the topic to a real mail server; retries, refusals, and what may come twice."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import msgspec
import pytest

from contracts.ids import workspace_id
from contracts.outbound import OutboundMessage
from contracts.topics import OUTBOUND
from frontdesk.processes import PROCESSES
from runtime.clock import Clock
from runtime.failpoints import EXIT_CODE
from runtime.kafka import Producer
from runtime.postgres import Database
from runtime.settings import Settings, Smarthost
from runtime.stage import Batch, Delivery, Record
from sinks.postgres.source_store import SourceStore
from sinks.postgres.ticket_store import OutboxRow, Writes
from sinks.postgres.ticket_writes import write
from sinks.relay import Relay
from sinks.senders.worker import PAUSES, Dispatcher, Outgoing
from tests.support.certificate import made_in
from tests.support.command import frontdesk
from tests.support.mail_server import MailServer, mail_server
from tests.support.shop import WORKSPACE, settings
from tests.support.system import Broker, Dsns

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)


def mail(name: str = "one", **given: Any) -> OutboundMessage:
    values = {
        "outbound_id": uuid5(WORKSPACE, name),
        "workspace": WORKSPACE,
        "ticket_id": uuid5(WORKSPACE, "ticket"),
        "channel": "email",
        "account": "support",
        "recipient": "anna@x.example",
        "text": "Drukarka działa.\n\n-- \nReturns",
        "created_at": NOW,
        "subject": "Re: Drukarka",
        "sender": "Shop, Returns <returns@shop.example>",
        "reply_to": "returns+token@shop.example",
        "message_id": f"{name}@shop.example",
        "in_reply_to": "m1@x.example",
        "references": ("m0@x.example", "m1@x.example"),
    }
    return OutboundMessage(**(values | given))


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    async with mail_server() as found:
        yield found


class Rig:
    """Stage and dispatcher on one database, at a time that the test sets."""

    def __init__(self, chosen: Settings) -> None:
        self.settings = chosen
        self.database = Database(chosen.postgres)

    async def note(self, *messages: OutboundMessage) -> None:
        deliveries = [Delivery(Record(OUTBOUND.name, 0, n, b"", b""), m) for n, m in enumerate(messages)]
        await Outgoing(self.database).run(Batch(deliveries))

    async def send(self, now: datetime = NOW, smarthost: Smarthost | None = None) -> int:
        """Everything that is due; how many attempts that were."""
        chosen = self.settings
        if smarthost:
            chosen = msgspec.structs.replace(chosen, smarthosts=(smarthost,))
        dispatcher = Dispatcher(chosen, self.database, Clock(now))
        senders, count = dispatcher.senders(), 0
        while await dispatcher.send_one(senders):
            count += 1
        for sender in senders.values():
            await sender.idle()
        return count

    async def rows(self, what: str = "state, reason, attempts, unsure") -> list[tuple[Any, ...]]:
        query: Any = f"SELECT {what} FROM deliveries ORDER BY created_at, outbound_id"
        return await self.database.fetch([WORKSPACE], query)


RigMaker = Callable[..., Rig]


@pytest.fixture
async def rig(broker: Broker, database: Dsns, tmp_path: Path, server: MailServer) -> AsyncIterator[Rig]:
    rig = Rig(settings(broker, database, tmp_path, smarthosts=(server.as_setting("shop"),)))
    async with rig.database:
        yield rig


async def test_a_mail_is_what_was_decided_and_comes_once(rig: Rig, server: MailServer) -> None:
    await rig.note(mail(), mail())
    await rig.note(mail())
    assert await rig.send() == 1
    (came,) = server.taken
    assert [came[name] for name in ("To", "Reply-To", "Subject", "Message-ID", "In-Reply-To")] == [
        "anna@x.example",
        "returns+token@shop.example",
        "Re: Drukarka",
        "<one@shop.example>",
        "<m1@x.example>",
    ]
    (sender,) = came["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Shop, Returns", "returns@shop.example")
    assert came["References"] == "<m0@x.example> <m1@x.example>"
    assert came["Date"].datetime == NOW
    assert came.get_content().replace("\r\n", "\n") == "Drukarka działa.\n\n-- \nReturns\n"
    assert server.envelopes == [("returns@shop.example", ["anna@x.example"])]
    assert await rig.rows("state, reply, finished_at") == [("sent", "250 2.0.0 taken", NOW)]


async def test_automatic_mail_has_no_sender_that_could_be_answered(rig: Rig, server: MailServer) -> None:
    await rig.note(mail(bounces_to="", headers={"Auto-Submitted": "auto-replied"}))
    await rig.send()
    assert server.envelopes[0][0] == "<>"
    assert server.taken[0]["Auto-Submitted"] == "auto-replied"


async def test_many_mails_share_a_connection(rig: Rig, server: MailServer) -> None:
    await rig.note(*(mail(str(n), created_at=NOW - timedelta(seconds=n)) for n in range(5)))
    assert await rig.send() == 5
    assert (len(server.taken), server.sessions) == (5, 1)


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
async def test_a_refusal_for_now_is_tried_again_later(rig: Rig, server: MailServer, command: str) -> None:
    server.answers[command] = ["451 4.7.1 greylisted, try later"]
    await rig.note(mail())
    assert await rig.send() == 1
    assert await rig.send(NOW + timedelta(seconds=PAUSES[0] - 1)) == 0
    ((state, reply),) = await rig.rows("state, reply")
    assert (state, reply) == ("waiting", "451 4.7.1 greylisted, try later")
    assert await rig.send(NOW + timedelta(seconds=PAUSES[0])) == 1
    assert [row[0] for row in await rig.rows()] == ["sent"]
    assert len(server.taken) == 1


@pytest.mark.parametrize(
    ("command", "reason"),
    [("MAIL", "sender_refused"), ("RCPT", "recipient_refused"), ("DATA", "content_refused")],
)
async def test_a_refusal_for_good_is_kept_with_its_words(
    rig: Rig, server: MailServer, command: str, reason: str
) -> None:
    server.answers[command] = ["550 5.1.1 no such user"]
    await rig.note(mail(), mail("two", created_at=NOW + timedelta(seconds=1)))
    assert await rig.send(NOW + timedelta(minutes=1)) == 2, "the next one is not held up"
    assert await rig.rows("state, reason, reply") == [
        ("failed", reason, "550 5.1.1 no such user"),
        ("sent", None, "250 2.0.0 taken"),
    ]


async def test_people_can_look_at_what_was_refused(rig: Rig, server: MailServer, database: Dsns) -> None:
    server.answers["RCPT"] = ["550 5.1.1 no such user"]
    await rig.note(mail(), mail("two", created_at=NOW - timedelta(seconds=1)))
    await rig.send()
    settings = {"postgres": database.app, "workspace": "shop"}
    listed = await frontdesk("deliveries", "--state", "failed", "--json", **settings)
    (row,) = listed.rows
    assert (row["recipient"], row["reason"], row["reply"]) == (
        "anna@x.example",
        "recipient_refused",
        "550 5.1.1 no such user",
    )
    assert len((await frontdesk("deliveries", "--json", **settings)).rows) == 2


async def test_it_is_given_up_after_five_days(rig: Rig, server: MailServer) -> None:
    server.answers["RCPT"] = ["451 not now"] * 100
    await rig.note(mail())
    at, attempts = NOW, 0
    for pause in (0, *PAUSES, 0):
        at += timedelta(seconds=pause)
        attempts += await rig.send(at)
    assert timedelta(days=4) < at - NOW < timedelta(days=6)
    assert await rig.rows() == [("failed", "recipient_refused", attempts, False)]


async def test_an_answer_that_is_lost_means_a_second_copy_with_the_same_id_and_the_row_says_so(
    rig: Rig, server: MailServer
) -> None:
    server.cuts = 1
    await rig.note(mail())
    await rig.send()
    assert await rig.rows() == [("waiting", "answer_lost", 1, True)]
    await rig.send(NOW + timedelta(seconds=PAUSES[0]))
    assert await rig.rows() == [("sent", None, 2, True)]
    assert [came["Message-ID"] for came in server.taken] == ["<one@shop.example>"] * 2


async def test_a_process_that_dies_after_the_yes_sends_again_and_the_row_says_so(
    rig: Rig, server: MailServer, database: Dsns
) -> None:
    await rig.note(mail(created_at=datetime.now(UTC)))
    ended = await frontdesk(
        *("run", "senders"),
        postgres=database.app,
        kafka=rig.settings.kafka,
        workspace="shop",
        host="aiokafka",
        allow_less_replication="true",
        failpoint="senders.after_send",
        smarthosts=msgspec.json.encode(rig.settings.smarthosts).decode(),
    )
    assert ended.code == EXIT_CODE, ended.errors
    assert len(server.taken) == 1
    later = datetime.now(UTC)
    assert await rig.send(later) == 0, "somebody may be at it still"
    assert await rig.send(later + timedelta(minutes=11)) == 1
    assert await rig.rows() == [("sent", None, 2, True)]
    assert server.taken[0]["Message-ID"] == server.taken[1]["Message-ID"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": "Hello\r\nBcc: eve@x.example"},
        {"recipient": "anna@x.example\r\nBcc: eve@x.example"},
        {"recipient": "anna@x.example, eve@x.example"},
        {"sender": "Shop\nBcc: eve@x.example <returns@shop.example>"},
        {"in_reply_to": "m1>\r\nBcc: eve@x.example"},
        {"headers": {"X-Note": "a\nBcc: eve@x.example"}},
        {"headers": {"To": "eve@x.example"}},
    ],
)
async def test_nothing_of_a_message_can_add_a_header_or_a_recipient(
    rig: Rig, server: MailServer, wrong: dict[str, Any]
) -> None:
    await rig.note(mail(**wrong))
    await rig.send()
    assert [row[:2] for row in await rig.rows()] == [("failed", "cannot_be_written")]
    assert server.taken == []


async def test_encryption_and_password(rig: Rig, tmp_path: Path) -> None:
    certificate = made_in(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.chain, certificate.key)
    secret = tmp_path / "secret"
    secret.write_text("open sesame\n")
    async with mail_server(context, "open sesame") as server:
        given = {"tls": "starttls", "user": "desk", "password_file": str(secret)}
        await rig.note(mail())
        await rig.send(NOW, server.as_setting("shop", **given))
        assert [row[:2] for row in await rig.rows()] == [("waiting", "no_connection")], (
            "a stranger's certificate"
        )
        given["ca_file"] = str(certificate.chain)
        secret.write_text("guessed")
        await rig.send(NOW + timedelta(minutes=2), server.as_setting("shop", **given))
        assert [row[:2] for row in await rig.rows()] == [("waiting", "bad_credentials")]
        (state,) = await SourceStore(rig.database).listed(WORKSPACE)
        assert (state.account, state.folder, state.state) == ("127.0.0.1", "outgoing", "bad_credentials")
        secret.write_text("open sesame")
        await rig.send(NOW + timedelta(hours=1), server.as_setting("shop", **given))
        assert [row[0] for row in await rig.rows()] == ["sent"]
    (state,) = await SourceStore(rig.database).listed(WORKSPACE)
    assert state.state == "connected"


async def test_without_a_server_mail_waits_and_other_channels_say_that_nobody_sends_them(rig: Rig) -> None:
    rig.settings = msgspec.structs.replace(rig.settings, smarthosts=())
    await rig.note(mail(), mail("fax", channel="fax", created_at=NOW - timedelta(days=1)))
    await rig.send()
    assert [row[:2] for row in await rig.rows()] == [("failed", "no_sender"), ("waiting", "no_smarthost")]


async def test_another_workspaces_mail_is_not_touched(rig: Rig, server: MailServer) -> None:
    await rig.note(mail(workspace=workspace_id("other")))
    assert await rig.send() == 0
    assert server.taken == []


async def test_from_the_outbox_to_the_mail_server(
    broker: Broker, database: Dsns, tmp_path: Path, server: MailServer
) -> None:
    chosen = settings(
        broker,
        database,
        tmp_path,
        smarthosts=(server.as_setting("shop"),),
        host="aiokafka",
        instance=str(uuid4()),
    )
    message = mail("through", created_at=datetime.now(UTC))
    async with Database(database.app) as app, app.transaction([WORKSPACE]) as connection:
        await write(connection, Writes(outbox=[_outbox(message)]))
    relay = Relay(database.system, Producer(broker.bootstrap), Clock())
    services = [relay, *PROCESSES["senders"].build(chosen)]
    running = [asyncio.create_task(service.run()) for service in services]
    async with asyncio.timeout(60):
        while not any(came["Message-ID"] == "<through@shop.example>" for came in server.taken):
            await asyncio.sleep(0.05)
            assert not any(task.done() for task in running)
    for service in services:
        await service.stop()
    await asyncio.gather(*running)


def _outbox(message: OutboundMessage) -> OutboxRow:
    ticket = message.ticket_id
    assert isinstance(ticket, UUID)
    return OutboxRow.of(
        "outbound", ticket, message.outbound_id, "message", message, message.workspace, message.created_at
    )
