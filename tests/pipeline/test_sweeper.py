"""Archived bytes go with their last reference, and not while a message that may need them is on its way."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from contracts.base import encode
from contracts.errors import Transient
from contracts.topics import INBOUND
from runtime.kafka import Outgoing, Producer
from runtime.postgres import Database
from sinks.archive import Archive, FolderArchive
from sinks.sweeper import Sweeper
from tests.support.routing import WORKSPACE, message
from tests.support.shop import settings
from tests.support.system import Broker, Dsns, open_books

ALONE, SHARED = b"alone", b"shared"
NAMES = {content: sha256(content).hexdigest() for content in (ALONE, SHARED)}


class Yard:
    """An archive whose bytes were put long ago, have lost a reference, and one of which another message needs."""

    def __init__(self, archive: Archive, folder: Path, sweeper: Sweeper, system: Database) -> None:
        self.archive, self.sweeper, self.system = archive, sweeper, system
        self._folder = folder
        self.spooled = 0

    async def prepare(self) -> None:
        await self.archive.put({NAMES[content]: content for content in NAMES})
        self.age()
        async with self.system.transaction() as connection:
            for name in NAMES.values():
                await connection.execute("INSERT INTO archive_garbage VALUES (%s, now())", [name])
            refers = "INSERT INTO archive_refs VALUES (%s, %s, gen_random_uuid())"
            await connection.execute(refers, [WORKSPACE, NAMES[SHARED]])

    def age(self) -> None:
        old = time.time() - 3600
        for path in self._folder.rglob("*"):
            os.utime(path, (old, old))

    async def sweep(self, times: int = 2) -> dict[bytes, bool]:
        """What is there after so many looks."""
        for _ in range(times):
            await self._look()
        return {content: await self.archive.put_since(name) is not None for content, name in NAMES.items()}

    async def _look(self) -> None:
        """A broker that has just started knows no groups yet."""
        async with asyncio.timeout(60):
            while True:
                try:
                    return await self.sweeper.tick()
                except Transient:
                    await asyncio.sleep(0.2)

    async def waiting(self) -> int:
        return len(await self.system.fetch([], "SELECT FROM archive_garbage"))


@pytest.fixture
async def yard(broker: Broker, database: Dsns, tmp_path: Path) -> AsyncIterator[Yard]:
    await open_books(broker.bootstrap, database)
    archive, chosen = FolderArchive(tmp_path / "archive"), settings(broker, database, tmp_path)
    async with Database(database.system, max_size=2) as system:
        sweeper = Sweeper(chosen, system, archive, lambda: yard.spooled)
        yard = Yard(archive, tmp_path / "archive", sweeper, system)
        await yard.prepare()
        yield yard


async def test_what_nobody_needs_goes_and_what_somebody_needs_stays(yard: Yard) -> None:
    assert await yard.sweep(1) == {ALONE: True, SHARED: True}, "a first look only says how far the doors are"
    assert await yard.sweep(1) == {ALONE: False, SHARED: True}
    assert await yard.waiting() == 0


async def test_nothing_goes_while_a_message_is_on_its_way(yard: Yard, broker: Broker) -> None:
    producer = Producer(broker.bootstrap)
    await producer.start()
    await producer.send_all([Outgoing(INBOUND.name, b"k", encode(message("on-its-way")))])
    await producer.stop()
    assert await yard.sweep(3) == {ALONE: True, SHARED: True}
    assert await yard.waiting() == 2


async def test_nothing_goes_while_the_spool_holds_anything(yard: Yard) -> None:
    yard.spooled = 1
    assert await yard.sweep(3) == {ALONE: True, SHARED: True}
    yard.spooled = 0
    assert await yard.sweep(2) == {ALONE: False, SHARED: True}


async def test_what_a_door_put_again_meanwhile_stays_until_later(yard: Yard) -> None:
    await yard.sweep(1)
    await yard.archive.put({NAMES[ALONE]: ALONE})
    assert await yard.sweep(1) == {ALONE: True, SHARED: True}
    yard.age()
    assert await yard.sweep(1) == {ALONE: False, SHARED: True}
