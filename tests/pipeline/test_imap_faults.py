"""Odd servers, odd mailboxes and bad lines: each mail reaches Kafka, and each is one message."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from ingest.imap_session import ImapSession
from tests.support.dovecot import Dovecot
from tests.support.mailbox import Reading, mail, reaches
from tests.support.system import Dsns, eventually
from tests.support.topics import Since
from tests.support.wire import Wire, wire_to

pytestmark = pytest.mark.skipif(not Dovecot.installed(), reason="dovecot is not installed (make packages)")

NAMELESS = b"From: %s\r\nSubject: no id\r\n\r\nWhere is it?\r\n"


async def idles(wire: Wire) -> None:
    await eventually(lambda: b" IDLE\r\n" in wire.seen)


async def test_a_backlog_is_drained(reading: Reading, server: Dovecot, since: Since, database: Dsns) -> None:
    for number in range(1000):
        server.deliver(mail(number))
    async with reading():
        found = await since.at_least(1000)
        await reaches(database, 1000)
    assert Counter(message.subject for message in found) == Counter(f"Order {n}" for n in range(1000))


async def test_a_server_that_takes_its_leave_is_connected_to_again(
    reading: Reading, server: Dovecot, since: Since
) -> None:
    async with wire_to(server.port) as wire, reading(port=wire.port):
        await idles(wire)
        wire.seen.clear()
        wire.say_bye()
        server.deliver(mail(1))
        assert [m.subject for m in await since.at_least(1)] == ["Order 1"]


async def test_a_line_that_fell_silent_is_noticed_by_the_next_look(
    reading: Reading, server: Dovecot, since: Since
) -> None:
    """IDLE would wait for ever. The look after `poll_seconds` gets no answer, and a new connection does."""
    async with wire_to(server.port) as wire, reading(port=wire.port, poll_seconds=2):
        await idles(wire)
        wire.silence()
        server.deliver(mail(1))
        assert [m.subject for m in await since.at_least(1, seconds=90)] == ["Order 1"]


async def test_a_mail_that_vanishes_between_two_steps_holds_up_nothing(
    reading: Reading, server: Dovecot, since: Since, database: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program deletes it after its size was read."""
    for number in range(10):
        server.deliver(mail(number))
    sizes = ImapSession.sizes

    async def then_delete(session: ImapSession, uids: Sequence[int]) -> dict[int, int]:
        found = await sizes(session, uids)
        server.delete(b"Order 4")
        return found

    monkeypatch.setattr(ImapSession, "sizes", then_delete)
    async with reading():
        await reaches(database, 10)
        found = await since.at_least(9)
    assert Counter(m.subject for m in found) == Counter(f"Order {n}" for n in range(10) if n != 4)


async def test_ids_that_are_missing_or_come_twice(
    reading: Reading, server: Dovecot, since: Since, database: Dsns
) -> None:
    """The same mail twice is one message; another mail under its Message-ID, or without any, is another."""
    bodies = [mail(1), mail(1), mail(1).replace(b"Where", b"WHERE")]
    bodies += [NAMELESS % b"ann@example.com", NAMELESS % b"bob@example.com"]
    for body in bodies:
        server.deliver(body)
    async with reading():
        found = await since.at_least(5)
    assert len({message.message_id for message in found}) == 4
