"""Mailboxes on a real IMAP server: every mail reaches Kafka, whatever happens to the server or to the reader."""

from __future__ import annotations

import contextlib

import pytest

from contracts.channels import Limits
from ingest.channel import channels
from runtime.postgres import Database
from sinks.postgres.cursor_store import Source, lease
from sinks.postgres.source_store import MailboxLedger
from tests.support.dovecot import Dovecot
from tests.support.mailbox import Reading, cursor, listed, mail, reaches
from tests.support.shop import WORKSPACE
from tests.support.system import Dsns
from tests.support.topics import Since

pytestmark = pytest.mark.skipif(not Dovecot.installed(), reason="dovecot is not installed (make packages)")


async def test_waiting_and_pushed_mails_arrive_once_in_order_and_stay_unseen(
    reading: Reading, server: Dovecot, since: Since, database: Dsns
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
    reading: Reading, server: Dovecot, since: Since, database: Dsns
) -> None:
    server.deliver(mail(1))
    async with reading():
        await reaches(database, 1)
    server.deliver(mail(2))
    async with reading():
        await reaches(database, 2)

    assert [m.subject for m in await since.messages()] == ["Order 1", "Order 2"]


async def test_a_folder_made_anew_is_read_again_and_its_mails_keep_their_ids(
    reading: Reading, server: Dovecot, since: Since, database: Dsns
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
    reading: Reading, server: Dovecot, since: Since, database: Dsns
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
    reading: Reading, server: Dovecot, since: Since, database: Dsns
) -> None:
    server.deliver(mail(1))
    server.deliver(mail(2), folder="Zg&AUI-oszenia")
    async with reading(folders=("INBOX", "Zgłoszenia")):
        found = await since.at_least(2)
        await reaches(database, 1)

    assert {m.subject for m in found} == {"Order 1", "Order 2"}


async def test_without_idle_the_poll_finds_new_mail(
    reading: Reading, server: Dovecot, since: Since, database: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aioimaplib.aioimaplib.IMAP4.has_capability", lambda *_: False)
    async with reading(poll_seconds=1):
        server.deliver(mail(1))
        await reaches(database, 1)
        server.deliver(mail(2))
        found = await since.at_least(2)

    assert len(found) == 2


async def test_what_cannot_be_read_is_parked_and_does_not_block_the_next_mail(
    reading: Reading, server: Dovecot, since: Since, monkeypatch: pytest.MonkeyPatch
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
    reading: Reading, server: Dovecot, since: Since, database: Dsns
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


async def test_a_folder_is_complete_when_every_mail_is_here(
    reading: Reading, server: Dovecot, since: Since, database: Dsns
) -> None:
    for number in range(3):
        server.deliver(mail(number))
    async with reading():
        source = await listed(database, lambda source: source.missing == 0)
    assert source.state == "connected"
    assert source.complete_at is not None
    assert source.complete_at >= source.since


async def test_a_folder_without_mails_is_complete(reading: Reading, since: Since, database: Dsns) -> None:
    async with reading():
        source = await listed(database, lambda source: source.missing == 0)
    assert source.complete_at is not None


async def test_a_mail_that_was_passed_over_is_found_and_taken(
    reading: Reading, server: Dovecot, since: Since, database: Dsns
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


async def test_a_wrong_password_is_a_state_of_its_own(reading: Reading, since: Since, database: Dsns) -> None:
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
