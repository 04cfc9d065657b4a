"""Attachments from their message to the archive: noted on a real topic, fetched over real HTTP, recorded in Postgres."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from contracts.base import encode
from contracts.inbound import Attachment, InboundMessage
from contracts.topics import INBOUND
from frontdesk.processes import PROCESSES
from ingest.media.download import Downloader
from ingest.media.worker import PAUSES, Fetcher, Media
from runtime.clock import Clock
from runtime.failpoints import EXIT_CODE
from runtime.kafka import Outgoing, Producer
from runtime.postgres import Database
from runtime.reach import Reach
from runtime.settings import PREFIX, Bot, Hook, Settings, environment
from runtime.stage import Batch, Delivery, Record
from sinks.archive import FolderArchive
from sinks.postgres.media_store import MediaStore, Outcome
from tests.support.command import frontdesk
from tests.support.provider import Answer, Provider, provider
from tests.support.shop import WORKSPACE, settings
from tests.support.system import Broker, Dsns

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
JPEG = b"\xff\xd8\xff\xe0" + b"picture" * 100
LIMIT = 10_000


@pytest.fixture
async def files() -> AsyncIterator[Provider]:
    async with provider() as found:
        yield found


class Rig:
    """Stage and fetcher on one database, at a time that the test sets."""

    def __init__(self, chosen: Settings) -> None:
        self.settings = chosen
        self.database = Database(chosen.postgres)
        self.archive = FolderArchive(chosen.archive)

    async def take(self, messages: Sequence[InboundMessage]) -> None:
        deliveries = [Delivery(Record(INBOUND.name, 0, n, b"", b""), m) for n, m in enumerate(messages)]
        await Media(self.database).run(Batch(deliveries))

    async def fetch(self, now: datetime = NOW) -> int:
        """Everything that is due; how many attempts that were."""
        downloader = Downloader(Reach(self.settings.media_origins), LIMIT)
        fetcher = Fetcher(self.settings, self.database, self.archive, Clock(now), downloader)
        count = 0
        while await fetcher.fetch_one():
            count += 1
        await downloader.close()
        return count

    async def rows(self, what: str) -> list[tuple[Any, ...]]:
        query: Any = f"SELECT {what} FROM media ORDER BY message_id, place"
        return await self.database.fetch([WORKSPACE], query)


@pytest.fixture
async def rig(broker: Broker, database: Dsns, tmp_path: Path, files: Provider) -> AsyncIterator[Rig]:
    chosen = settings(
        broker,
        database,
        tmp_path,
        media_origins=(files.origin,),
        telegram_api=files.origin,
        graph_api=f"{files.origin}/v23.0",
        bots=(Bot(workspace="shop", account="bot", token="7:tok"),),
        hooks=(Hook(workspace="shop", channel="whatsapp", account="wa", token="access"),),
    )
    async with (found := Rig(chosen)).database:
        yield found


def message(
    *refs: str, channel: str = "viber", account: str = "v", declared: str = "image/*", **more: Any
) -> InboundMessage:
    given: dict[str, Any] = {"message_id": uuid4(), "provider_id": "1"} | more
    return InboundMessage(
        workspace=WORKSPACE,
        channel=channel,
        account=account,
        received_at=NOW - timedelta(seconds=1),
        attachments=tuple(Attachment(name="file", type=declared, provider_ref=ref) for ref in refs),
        **given,
    )


async def test_a_file_is_fetched_once_and_archived_by_its_hash(rig: Rig, files: Provider) -> None:
    digest = hashlib.sha256(JPEG).hexdigest()
    taken = message(files.gives("/a", Answer(JPEG)), files.gives("/b", Answer(JPEG)), declared="image/png")
    await rig.take([taken])
    await rig.take([taken, taken])
    assert await rig.fetch() == 2
    assert await rig.rows("place, state, reason, sha256, type, size, attempts") == [
        (place, "fetched", None, digest, "image/jpeg", len(JPEG), 1) for place in (0, 1)
    ]
    assert await rig.archive.get(f"sha256:{digest}") == JPEG
    await rig.take([taken])
    assert await rig.fetch(NOW + timedelta(days=1)) == 0
    assert files.connections == 2


async def test_only_files_of_messages_that_are_still_at_the_provider(rig: Rig, files: Provider) -> None:
    kept = Attachment(name="a", type="image/png", ref="sha256:00", provider_ref=files.origin)
    nowhere = Attachment(name="a", type="image/png")
    mail = msgspec.structs.replace(message(), attachments=(kept, nowhere))
    await rig.take([mail, message(files.origin, kind="unsupported"), message()])
    assert await rig.rows("state") == []


async def test_telegram_is_asked_where_the_file_is(rig: Rig, files: Provider) -> None:
    files.gives("/bot7:tok/getFile", Answer(b'{"ok":true,"result":{"file_path":"photos/a 1.jpg"}}'))
    files.gives("/file/bot7:tok/photos/a%201.jpg", Answer(JPEG))
    await rig.take([message("AgAC-1", channel="telegram", account="bot")])
    await rig.fetch()
    assert await rig.rows("state, type") == [("fetched", "image/jpeg")]
    assert [target for target, _ in files.asked] == [
        "/bot7:tok/getFile?file_id=AgAC-1",
        "/file/bot7:tok/photos/a%201.jpg",
    ]


async def test_whatsapp_shows_its_token_twice_and_checks_the_hash(rig: Rig, files: Provider) -> None:
    url = files.gives("/cdn", Answer(JPEG))
    for place, digest in enumerate((hashlib.sha256(JPEG).hexdigest(), "0" * 64)):
        files.gives(f"/v23.0/{place}", Answer(msgspec.json.encode({"url": url, "sha256": digest})))
    await rig.take([message("0", "1", channel="whatsapp", account="wa")])
    await rig.fetch()
    assert await rig.rows("state, reason") == [("fetched", None), ("waiting", "sha256")]
    assert {headers["authorization"] for _, headers in files.asked} == {"Bearer access"}


async def test_what_opens_one_host_is_not_shown_to_another(rig: Rig, files: Provider) -> None:
    async with provider() as other:
        there = other.gives("/file", Answer(JPEG))
        files.gives("/v23.0/1", Answer(status=302, headers=(("location", there),)))
        rig.settings = msgspec.structs.replace(rig.settings, media_origins=(files.origin, other.origin))
        await rig.take([message("1", channel="whatsapp", account="wa")])
        await rig.fetch()
    assert [headers.get("authorization") for _, headers in files.asked] == ["Bearer access"]
    assert [headers.get("authorization") for _, headers in other.asked] == [None]


@pytest.mark.parametrize("status", [403, 404, 410])
async def test_what_the_provider_gives_no_more_is_recorded_and_not_asked_for_again(
    rig: Rig, files: Provider, status: int
) -> None:
    await rig.take([message(files.gives("/a", Answer(status=status)))])
    assert await rig.fetch() == 1
    assert await rig.rows("state, reason") == [("expired", f"http_{status}")]
    assert await rig.fetch(NOW + timedelta(days=2)) == 0
    assert files.connections == 1


async def test_a_page_in_the_place_of_a_picture_is_no_picture(rig: Rig, files: Provider) -> None:
    await rig.take([message(files.gives("/a", Answer(b"<!DOCTYPE html><p>This link has expired")))])
    await rig.fetch()
    assert await rig.rows("state, reason") == [("expired", "page")]


@pytest.mark.parametrize("announced", [LIMIT + 1, LIMIT])
async def test_a_file_that_is_too_large_is_refused_whatever_is_announced(
    rig: Rig, files: Provider, announced: int
) -> None:
    """More bytes than were announced are no part of the answer."""
    large = Answer(b"x" * (LIMIT + 1), length=announced)
    await rig.take([message(files.gives("/a", large), files.gives("/b", Answer(b"x" * LIMIT)))])
    await rig.fetch()
    expected = ("refused", "too_large") if announced > LIMIT else ("fetched", None)
    assert await rig.rows("state, reason") == [expected, ("fetched", None)]


async def test_a_body_without_a_length_is_cut_off(rig: Rig, files: Provider) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 4096)
                await writer.drain()
        except ConnectionError:
            writer.close()

    async with await asyncio.start_server(endless, "127.0.0.1", 0) as server:
        origin = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        rig.settings = msgspec.structs.replace(rig.settings, media_origins=(origin,))
        await rig.take([message(f"{origin}/a")])
        await rig.fetch()
    assert await rig.rows("state, reason") == [("refused", "too_large")]


async def test_trouble_is_tried_again_later_and_later_and_then_given_up(rig: Rig, files: Provider) -> None:
    await rig.take([message(files.gives("/a", Answer(status=503)))])
    now = NOW
    for attempt, pause in enumerate(PAUSES, start=1):
        assert await rig.fetch(now) == 1
        assert await rig.fetch(now + timedelta(seconds=pause - 1)) == 0
        assert await rig.rows("state, reason, attempts") == [("waiting", "http_503", attempt)]
        now += timedelta(seconds=pause)
    await rig.fetch(now)
    assert await rig.rows("state, reason, finished_at") == [("failed", "http_503", now)]
    assert await rig.fetch(now + timedelta(days=2)) == 0


@pytest.mark.parametrize(
    "answer",
    [
        Answer(status=429, headers=(("retry-after", "90"),)),
        Answer(status=401),
        Answer(b"cut", length=400),
    ],
)
async def test_trouble_that_passes_ends_well(rig: Rig, files: Provider, answer: Answer) -> None:
    await rig.take([message(files.gives("/a", answer, Answer(JPEG)))])
    await rig.fetch()
    wait = 90 if answer.status == 429 else PAUSES[0]
    assert await rig.fetch(NOW + timedelta(seconds=wait - 1)) == 0
    assert await rig.fetch(NOW + timedelta(seconds=wait)) == 1
    assert await rig.rows("state, reason, attempts") == [("fetched", None, 2)]


async def test_a_token_that_is_given_later_is_not_too_late(rig: Rig, files: Provider) -> None:
    files.gives("/v23.0/1", Answer(b"{}"))
    await rig.take([message("1", channel="whatsapp", account="other")])
    await rig.fetch()
    assert await rig.rows("state, reason") == [("waiting", "no_token")]
    assert files.connections == 0


async def test_a_fetcher_that_died_gives_its_file_back(rig: Rig, files: Provider) -> None:
    await rig.take([message(files.gives("/a", Answer(JPEG)))])
    claimed = await MediaStore(rig.database).claim([WORKSPACE], NOW, NOW + timedelta(seconds=120))
    assert claimed
    assert await rig.fetch(NOW + timedelta(seconds=119)) == 0
    assert await rig.fetch(NOW + timedelta(seconds=120)) == 1
    # It was only asleep: what it says now is not believed.
    store = MediaStore(rig.database)
    await store.postpone(claimed, "late", NOW)
    await store.finish(claimed, Outcome("failed", "late"), NOW)
    assert await rig.rows("state, reason, attempts") == [("fetched", None, 2)]


async def test_the_process_takes_from_the_topic_and_archives(rig: Rig, files: Provider) -> None:
    """As `frontdesk run media` does, on Kafka, with what it cannot read passed over."""
    taken = message(files.gives("/a", Answer(JPEG)))
    producer = Producer(rig.settings.kafka)
    await producer.start()
    try:
        await producer.send_all(
            [Outgoing(INBOUND.name, b"k", value) for value in (b"{rubbish", encode(taken))]
        )
    finally:
        await producer.stop()
    services = PROCESSES["media"].build(msgspec.structs.replace(rig.settings, host="aiokafka"))
    tasks = [asyncio.create_task(service.run()) for service in services]
    try:
        async with asyncio.timeout(60):
            while not await _fetched(rig, taken.message_id):
                assert not any(task.done() for task in tasks)
                await asyncio.sleep(0.1)
    finally:
        for service in services:
            await service.stop()
        await asyncio.wait_for(asyncio.gather(*tasks), 20)
    assert await rig.archive.get(f"sha256:{hashlib.sha256(JPEG).hexdigest()}") == JPEG


async def test_a_process_that_dies_after_archiving_leaves_the_file_to_the_next(
    rig: Rig, files: Provider
) -> None:
    await rig.take([message(files.gives("/a", Answer(JPEG)))])
    chosen = msgspec.structs.replace(rig.settings, failpoint="media.after_archive", clock=NOW)
    given = {name.removeprefix(PREFIX).lower(): value for name, value in environment(chosen).items()}
    assert (await frontdesk("run", "media", **given)).code == EXIT_CODE
    assert await rig.rows("state, attempts") == [("waiting", 1)]
    assert await rig.fetch(NOW + timedelta(minutes=10)) == 1
    assert await rig.rows("state, attempts") == [("fetched", 2)]
    stored = [path for path in rig.settings.archive.rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in stored] == [JPEG]


async def _fetched(rig: Rig, message_id: UUID) -> bool:
    return (message_id, "fetched") in await rig.rows("message_id, state")
