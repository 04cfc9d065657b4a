"""`frontdesk dlq`: what operators do with letters that wait, on a real broker and database."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import pytest

from contracts.base import encode
from contracts.deadletter import DeadLetter
from contracts.ids import message_id, workspace_id
from contracts.resolved import Position
from contracts.topics import DEAD_LETTERS, INBOUND
from runtime.kafka import end_offsets
from runtime.postgres import Database
from runtime.stage import Batch, Delivery, Record
from sinks.deadletters import Feeder
from tests.support.command import Command, frontdesk
from tests.support.system import Broker, Dsns
from tests.support.topics import Since

WORKSPACE = workspace_id("letters")
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def dlq(database: Dsns, broker: Broker) -> Command:
    """`frontdesk dlq …` on these servers."""
    return partial(
        frontdesk,
        "dlq",
        kafka=broker.bootstrap,
        postgres=database.app,
        postgres_system=database.system,
        workspace="letters",
    )


async def feed(database: Dsns, *letters: DeadLetter) -> None:
    """Stores letters as the timers process does."""
    async with Database(database.system) as system:
        records = [
            Record(DEAD_LETTERS[letter.stage].name, 0, offset, letter.key, encode(letter))
            for offset, letter in enumerate(letters)
        ]
        deliveries = [Delivery(record, letter) for record, letter in zip(records, letters, strict=True)]
        await Feeder(system).run(Batch(deliveries))


def rejected(number: int) -> DeadLetter:
    """A letter of identity's."""
    at = Position(topic=INBOUND.name, partition=0, offset=number)
    return DeadLetter(
        dead_letter_id=UUID(int=number),
        stage="identity",
        reason="undecodable",
        raw=b"no message",
        occurred_at=AT,
        position=at,
        source=at,
        key=b"key",
    )


def parked(raw: bytes) -> DeadLetter:
    """A letter of the door's."""
    return DeadLetter(
        dead_letter_id=UUID(int=99),
        stage="ingest",
        reason="undecodable",
        raw=raw,
        occurred_at=AT,
        workspace=WORKSPACE,
        channel="telegram",
        account="bot",
        key=b"key",
    )


async def waiting(dlq: Command) -> set[str]:
    return {row["dead_letter_id"] for row in (await dlq("list", "--json")).rows}


async def test_many_letters_are_sent_again_at_once(dlq: Command, database: Dsns, broker: Broker) -> None:
    await feed(database, rejected(1), rejected(2), rejected(3))
    before = sum((await end_offsets(broker.bootstrap, [INBOUND])).values())
    sent = await dlq("retry", str(UUID(int=1)), str(UUID(int=2)))
    assert (sent.code, sent.output) == (0, "sent again: 2\n")
    assert sum((await end_offsets(broker.bootstrap, [INBOUND])).values()) == before + 2
    assert await waiting(dlq) == {str(UUID(int=3))}


async def test_dropping_stops_at_a_letter_that_does_not_wait(dlq: Command, database: Dsns) -> None:
    await feed(database, rejected(1), rejected(2))
    assert (await dlq("drop", str(UUID(int=1)))).code == 0
    again = await dlq("drop", str(UUID(int=1)), str(UUID(int=2)))
    assert again.code == 1
    assert "was dropped by" in again.errors
    assert await waiting(dlq) == {str(UUID(int=2))}


async def test_a_letter_that_still_cannot_be_read_waits_on(dlq: Command, database: Dsns) -> None:
    await feed(database, parked(b"{broken"))
    again = await dlq("retry", str(UUID(int=99)))
    assert again.code == 1
    assert "parked_again" in again.errors
    assert await waiting(dlq) == {str(UUID(int=99))}


async def test_states_and_stages_that_do_not_exist_are_named(dlq: Command) -> None:
    wrong = await dlq("list", "--state", "lost")
    assert wrong.code == 2
    assert "'waiting', 'retried', 'dropped'" in wrong.errors


async def test_a_held_form_is_released_with_its_receipt_and_its_files(
    dlq: Command, broker: Broker, database: Dsns
) -> None:
    parts = {"website": "https://x.example", "message": "I am no robot"}
    body = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in parts.items()
    )
    held = DeadLetter(
        dead_letter_id=UUID(int=77),
        stage="ingest",
        reason="spam_hold",
        detail="honeypot",
        disposition="suppressed",
        raw=f"{body}--b--\r\n".encode(),
        occurred_at=AT,
        workspace=WORKSPACE,
        channel="webform",
        account="contact",
        headers={"content-type": "multipart/form-data; boundary=b", "idempotency-key": "key-of-the-receipt"},
    )
    await feed(database, held)
    since = await Since.now(broker.bootstrap)

    assert (await dlq("retry", str(held.dead_letter_id))).code == 0
    [message] = await since.messages()
    assert message.text == "I am no robot"
    assert message.message_id == message_id(WORKSPACE, "webform", "contact", "key-of-the-receipt")
