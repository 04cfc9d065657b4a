"""Mailboxes on a real IMAP server: every mail reaches Kafka, whatever happens to the server or to the reader."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from contracts.channels import Limits
from ingest.channel import channels
from ingest.imap import MailService
from runtime.postgres import Database
from runtime.settings import Mailbox
from sinks.postgres.cursor_store import Cursor, CursorStore, Source, lease
from sinks.postgres.source_store import ListedSource, MailboxLedger, SourceStore
from tests.support.dovecot import PASSWORD, USER, Dovecot, running
from tests.support.shop import WORKSPACE, configure, settings
from tests.support.system import Broker, Dsns
from tests.support.topics import Since

pytestmark = pytest.mark.skipif(not Dovecot.installed(), reason="dovecot is not installed (make packages)")

Start = Callable[..., Any]


@pytest.fixture
def server() -> Iterator[Dovecot]:
    with running() as dovecot:
        yield dovecot


@pytest.fixture
async def since(broker: Broker, database: Dsns) -> Since:
    await configure(database)
    return await Since.now(broker.bootstrap)


@pytest.fixture
def reading(broker: Broker, database: Dsns, server: Dovecot, tmp_path: Path) -> Start:
    """A mail process that reads the server's mailbox, for the length of a block."""

    @asynccontextmanager
    async def start(
        folders: tuple[str, ...] = ("INBOX",), password: str = PASSWORD, **changes: Any
    ) -> AsyncIterator[MailService]:
        mailbox = Mailbox(
            workspace="shop",
            account="support",
            host="127.0.0.1",
            port=server.port,
            user=USER,
            password=password,
            tls="none",
            folders=folders,
        )
        # A poll that never comes within a test: what arrives without IDLE would not arrive.
        changes = {"poll_seconds": 500, "mailboxes": (mailbox,)} | changes
        service = MailService(settings(broker, database, tmp_path, **changes))
        task = asyncio.create_task(service.run())
        try:
            yield service
        finally:
            await service.stop()
            await asyncio.wait_for(task, 20)

    return start


def mail(number: int, sender: str = "ann@example.com") -> bytes:
    head = f"From: {sender}\r\nTo: support@shop.example\r\nMessage-ID: <{number}@example.com>\r\nSubject: Order {number}\r\n"
    return f"{head}\r\nWhere is my order {number}?\r\n".encode()


async def cursor(database: Dsns, folder: str = "INBOX") -> Cursor:
    async with Database(database.app, max_size=1) as connection:
        return await CursorStore(connection).read(Source(WORKSPACE, "email", "support", folder))


async def reaches(database: Dsns, position: int) -> None:
    async with asyncio.timeout(30):
        while True:
            if (await cursor(database)).position >= position:
                return
            await asyncio.sleep(0.05)


async def test_waiting_and_pushed_mails_arrive_once_in_order_and_stay_unseen(
    reading: Start, server: Dovecot, since: Since, database: Dsns
) -> None:
    for number in range(120):
        server.deliver(mail(number))
    async with reading():
        await since.at_least(120)
        await reaches(database, 120)
        server.deliver(mail(120))
        found = await since.at_least(121)

    assert [m.subject for m in found] == [f"Order {number}" for number in range(121)]
    assert {m.account for m in found} == {"support"}
    assert {m.store for m in found} == {"a"}
    assert all(m.server_at and abs((m.received_at - m.server_at).total_seconds()) < 3600 for m in found)
    assert set(server.flags()) == {""}


async def test_a_restarted_reader_goes_on_behind_its_cursor(
    reading: Start, server: Dovecot, since: Since, database: Dsns
) -> None:
    server.deliver(mail(1))
    async with reading():
        await reaches(database, 1)
    server.deliver(mail(2))
    async with reading():
        await reaches(database, 2)

    assert [m.subject for m in await since.messages()] == ["Order 1", "Order 2"]


async def test_a_folder_made_anew_is_read_again_and_its_mails_keep_their_ids(
    reading: Start, server: Dovecot, since: Since, database: Dsns
) -> None:
    server.deliver(mail(1))
    server.deliver(mail(2))
    async with reading():
        await reaches(database, 2)
        before = await cursor(database)
        server.renumber()
        server.deliver(mail(3))
        found = await since.at_least(5)

    assert len({m.message_id for m in found}) == 3
    assert (await cursor(database)).epoch != before.epoch


async def test_a_server_that_dies_is_connected_to_again(
    reading: Start, server: Dovecot, since: Since, database: Dsns
) -> None:
    async with reading():
        server.deliver(mail(1))
        await reaches(database, 1)
        server.stop()
        server.deliver(mail(2))
        server.start()
        found = await since.at_least(2)

    assert [m.subject for m in found] == ["Order 1", "Order 2"]


async def test_several_folders_are_read_each_with_its_own_cursor(
    reading: Start, server: Dovecot, since: Since, database: Dsns
) -> None:
    server.deliver(mail(1))
    server.deliver(mail(2), folder="Zg&AUI-oszenia")
    async with reading(folders=("INBOX", "Zgłoszenia")):
        found = await since.at_least(2)
        await reaches(database, 1)

    assert {m.subject for m in found} == {"Order 1", "Order 2"}


async def test_without_idle_the_poll_finds_new_mail(
    reading: Start, server: Dovecot, since: Since, database: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aioimaplib.aioimaplib.IMAP4.has_capability", lambda *_: False)
    async with reading(poll_seconds=1):
        server.deliver(mail(1))
        await reaches(database, 1)
        server.deliver(mail(2))
        found = await since.at_least(2)

    assert len(found) == 2


async def test_what_cannot_be_read_is_parked_and_does_not_block_the_next_mail(
    reading: Start, server: Dovecot, since: Since, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channels()["email"], "limits", Limits(body=5000), raising=True)
    server.deliver(b"")
    server.deliver(b"Subject: large\r\n\r\n" + b"x" * 10_000)
    server.deliver(mail(1))
    async with reading():
        found = await since.at_least(1)
        dead = await since.dead_at_least(2)

    assert [m.subject for m in found] == ["Order 1"]
    assert {letter.reason for letter in dead} == {"empty", "too_large"}
    large = next(letter for letter in dead if letter.reason == "too_large")
    assert large.raw.startswith(b"Subject: large")


async def test_one_reader_at_a_time_and_another_takes_over(
    reading: Start, server: Dovecot, since: Since, database: Dsns
) -> None:
    source = Source(WORKSPACE, "email", "support", "INBOX")
    server.deliver(mail(1))
    async with contextlib.AsyncExitStack() as stack:
        held = await stack.enter_async_context(lease(database.app, source))
        assert held is not None
        async with lease(database.app, source) as second:
            assert second is None
        await stack.enter_async_context(reading())
        with pytest.raises(TimeoutError):
            await since.at_least(1, seconds=2)
        # The lease ends with its session.
        await held._connection.close()
        assert len(await since.at_least(1)) == 1


async def listed(database: Dsns, wanted: Callable[[ListedSource], bool]) -> ListedSource:
    """The folder as `frontdesk channels` shows it, once it is as wanted."""
    async with asyncio.timeout(30), Database(database.app, max_size=1) as opened:
        while True:
            for source in await SourceStore(opened).listed(WORKSPACE):
                if source.folder == "INBOX" and wanted(source):
                    return source
            await asyncio.sleep(0.05)


async def test_a_folder_is_complete_when_every_mail_is_here(
    reading: Start, server: Dovecot, since: Since, database: Dsns
) -> None:
    for number in range(3):
        server.deliver(mail(number))
    async with reading():
        source = await listed(database, lambda source: source.missing == 0)
    assert source.state == "connected"
    assert source.complete_at is not None
    assert source.complete_at >= source.since


async def test_a_mail_that_was_passed_over_is_found_and_taken(
    reading: Start, server: Dovecot, since: Since, database: Dsns
) -> None:
    """The cursor stands behind it, as a fault of ours or of the server might leave it."""
    server.deliver(mail(1))
    async with reading():
        await reaches(database, 1)
    async with Database(database.app, max_size=1) as opened, opened.transaction([WORKSPACE]) as connection:
        await connection.execute("UPDATE mailbox_ledgers SET taken = '{}'")
    async with reading():
        first, again = await since.at_least(2)
    assert first.message_id == again.message_id


async def test_a_wrong_password_is_a_state_of_its_own(reading: Start, since: Since, database: Dsns) -> None:
    async with reading(password="wrong"):
        source = await listed(database, lambda source: source.state == "bad_credentials")
    assert source.reason == "imap: login refused"


async def test_another_uidvalidity_begins_another_ledger(since: Since, database: Dsns) -> None:
    folder = Source(WORKSPACE, "email", "support", "Archive")
    async with Database(database.app, max_size=1) as opened:
        before, after = MailboxLedger(opened, folder, 1), MailboxLedger(opened, folder, 2)
        await before.take([1, 2, 3, 7])
        assert await before.missing([1, 2, 3, 4, 7, 8]) == [4, 8]
        await after.take([1])
        assert await after.missing([1, 2]) == [2]
        assert await before.missing([1]) == [1]
