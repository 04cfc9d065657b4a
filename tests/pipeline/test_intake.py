"""The shared path on a real broker: what is large goes to the archive, what cannot go on is kept, neighbours are unharmed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.channels import Limits
from contracts.errors import Poison, Refused, Transient
from contracts.ids import message_id, sha256_hex
from contracts.inbound import Attachment, Handle, InboundMessage, Recipient, Sender
from contracts.topics import INBOUND, MAX_INBOUND_BYTES
from ingest.channel import Normalised, Raw, raw_of
from ingest.idempotency import Idempotency
from ingest.intake import Intake
from ingest.keys import counterpart_key
from runtime.clock import Clock
from runtime.kafka import Producer, end_offsets, read_range
from runtime.postgres import Database
from sinks.archive import FolderArchive
from tests.support.shop import WORKSPACE
from tests.support.system import Broker, Dsns
from tests.support.topics import Since

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class Echo:
    """A channel whose bytes are the text, with whatever a test adds to the message."""

    name = "echo"
    limits = Limits(body=4 << 20)

    def __init__(self, **changes: Any) -> None:
        self._changes = changes

    def normalise(self, raw: Raw) -> Normalised:
        if raw.body.startswith(b"unreadable"):
            raise Poison("undecodable", "says so itself")
        kept, blobs = raw_of(raw.body)
        message = InboundMessage(
            message_id=message_id(raw.workspace, self.name, raw.account, sha256_hex(raw.body)),
            workspace=raw.workspace,
            channel=self.name,
            account=raw.account,
            provider_id=sha256_hex(raw.body),
            received_at=raw.received_at,
            text=raw.body.decode(),
            raw=kept,
        )
        return Normalised([msgspec.structs.replace(message, **self._changes)], blobs)


def raw(body: bytes) -> Raw:
    return Raw(body=body, workspace=WORKSPACE, account="box", received_at=NOW)


@pytest.fixture
async def since(broker: Broker) -> Since:
    return await Since.now(broker.bootstrap)


@pytest.fixture
def archive(tmp_path: Path) -> FolderArchive:
    return FolderArchive(tmp_path / "archive")


@pytest.fixture
async def intake(broker: Broker, archive: FolderArchive) -> AsyncIterator[Intake]:
    producer = Producer(broker.bootstrap)
    await producer.start()
    yield Intake(producer, archive, None, Clock(NOW))
    await producer.stop()


async def test_a_message_over_the_record_limit_keeps_its_beginning_and_archives_the_rest(
    intake: Intake, archive: FolderArchive, since: Since
) -> None:
    body = ("ł" * 300_000).encode()
    await intake.accept(Echo(quoted_text="q" * 200_000), raw(body))
    [message] = await since.messages()

    assert message.text == "ł" * 4096
    assert message.text_ref is not None
    assert await archive.get(message.text_ref) == body
    assert message.quoted_text_ref is not None
    assert await archive.get(message.quoted_text_ref) == b"q" * 200_000
    assert message.raw is not None
    assert message.raw.ref is not None
    assert await archive.get(message.raw.ref) == body


async def test_too_many_attachments_are_cut_rather_than_the_message_lost(
    intake: Intake, since: Since
) -> None:
    many = tuple(Attachment(name=f"{n}.png", type="image/png") for n in range(20_000))
    await intake.accept(Echo(attachments=many), raw(b"x"))
    [message] = await since.messages()

    assert len(message.attachments) == 500
    assert "long_parts_archived" in message.marks


async def test_what_does_not_fit_even_so_is_parked(intake: Intake, since: Since) -> None:
    receipt = await intake.accept(
        Echo(reply_to=tuple("x" * 100 for _ in range(MAX_INBOUND_BYTES // 100))), raw(b"hi")
    )
    [letter] = await since.dead_letters()

    assert receipt.outcome == "parked"
    assert (letter.reason, letter.raw) == ("too_large", b"hi")


async def test_unreadable_bytes_are_parked_once_and_large_ones_archived(
    intake: Intake, archive: FolderArchive, since: Since
) -> None:
    small, large = b"unreadable", b"unreadable" + b"x" * (300 * 1024)
    outcomes = [(await intake.accept(Echo(), raw(body))).outcome for body in (small, small, large)]
    letters = await since.dead_letters()

    assert outcomes == ["parked"] * 3
    assert len({letter.dead_letter_id for letter in letters}) == 2
    archived = next(letter for letter in letters if letter.raw_ref)
    assert archived.raw == b""
    assert archived.raw_ref is not None
    assert await archive.get(archived.raw_ref) == large


async def test_a_body_over_the_channels_limit_is_refused_before_it_is_looked_at(
    intake: Intake, since: Since
) -> None:
    with pytest.raises(Refused) as refused:
        await intake.accept(Echo(), raw(b"unreadable" + b"x" * (4 << 20)))

    assert refused.value.status == 413
    assert (await since.messages(), await since.dead_letters()) == ([], [])


async def test_many_callers_at_once_all_get_through_whatever_their_neighbours_are(
    intake: Intake, since: Since
) -> None:
    bodies = [b"unreadable %d" % n if n % 10 == 0 else b"text %d" % n for n in range(300)]
    receipts = await asyncio.gather(*(intake.accept(Echo(), raw(body)) for body in bodies))

    assert [r.outcome == "parked" for r in receipts] == [b.startswith(b"unreadable") for b in bodies]
    assert {m.text for m in await since.messages()} == {b.decode() for b in bodies if b.startswith(b"text")}
    assert len(await since.dead_letters()) == 30


async def test_nothing_is_accepted_while_the_broker_or_the_disk_is_away(tmp_path: Path) -> None:
    nowhere = Producer("127.0.0.1:9", timeout=1)
    with pytest.raises(Transient, match="kafka"):
        await Intake(nowhere, FolderArchive(tmp_path), None, Clock(NOW)).accept(Echo(), raw(b"hi"))

    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Transient, match="archive"):
        await Intake(nowhere, FolderArchive(tmp_path / "file"), None, Clock(NOW)).accept(
            Echo(), raw(b"x" * 40_000)
        )


async def test_records_carry_the_key_of_the_counterpart_and_the_trace(
    intake: Intake, broker: Broker, since: Since
) -> None:
    begin = await end_offsets(broker.bootstrap, (INBOUND,))
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await intake.accept(
        Echo(trace=trace, sender=Sender(handles=(Handle(kind="email", value="A@b.c"),))), raw(b"x")
    )
    ends = await end_offsets(broker.bootstrap, (INBOUND,))
    records = [
        record
        for (topic, partition), end in ends.items()
        async for record in read_range(broker.bootstrap, topic, partition, begin[topic, partition], end)
    ]

    assert [record.key for record in records] == [f"{WORKSPACE}|echo|email:a@b.c".encode()]
    assert records[0].headers == (("traceparent", trace.encode()),)


@pytest.mark.parametrize(
    ("changes", "counterpart"),
    [
        ({"conversation_key": "77"}, "chat:box:77"),
        ({"sender": Sender(handles=(Handle(kind="phone", value="+1"),))}, "phone:+1"),
        (
            {"sender": Sender(handles=(Handle(kind="phone", value="+2", proof="mentioned"),))},
            f"id:{sha256_hex(b'x')}",
        ),
        ({"direction": "out", "recipients": (Recipient(value="Ann@x.org"),)}, "to:ann@x.org"),
        ({}, f"id:{sha256_hex(b'x')}"),
    ],
    ids=["conversation", "handle", "only_mentioned", "outgoing", "nobody"],
)
def test_one_counterpart_one_key(changes: dict[str, Any], counterpart: str) -> None:
    [message] = Echo(**changes).normalise(raw(b"x")).messages
    assert counterpart_key(message) == f"{WORKSPACE}|echo|{counterpart}".encode()


async def test_a_key_that_was_stored_before_this_process_is_still_known(database: Dsns) -> None:
    [message] = Echo().normalise(raw(b"x")).messages
    async with Database(database.app, max_size=2) as connection:
        async with connection.transaction([WORKSPACE]) as tx:
            await tx.execute(
                "INSERT INTO messages (workspace, message_id, customer_id, channel, account, provider_id, kind, direction,"
                ' body_sha256, happened_at, received_at, topic, partition, "offset", payload)'
                " VALUES (%s, %s, gen_random_uuid(), 'echo', 'box', 'x', 'message', 'in', %s, now(), now(), 't', 0, 0, '{}')",
                (WORKSPACE, message.message_id, sha256_hex(b"x")),
            )
        keys = Idempotency(connection)
        await keys.check(message)
        other, _ = raw_of(b"y")
        with pytest.raises(Refused) as refused:
            await keys.check(msgspec.structs.replace(message, raw=other))
        fresh = Idempotency(connection)
        with pytest.raises(Refused):
            await fresh.check(msgspec.structs.replace(message, raw=other))

    assert (refused.value.status, refused.value.field) == (422, "Idempotency-Key")


async def test_without_postgres_keys_are_checked_in_memory_alone() -> None:
    [message] = Echo().normalise(raw(b"x")).messages
    async with Database("postgresql://nobody@127.0.0.1:9/none", max_size=1, timeout=0.2) as nowhere:
        keys = Idempotency(nowhere)
        await keys.check(message)
        await keys.check(message)
        other, _ = raw_of(b"y")
        with pytest.raises(Refused):
            await keys.check(msgspec.structs.replace(message, raw=other))
