"""A mail process that reads a test's mailbox, and what a test asks about it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ingest.imap import MailService
from runtime.postgres import Database
from runtime.settings import Mailbox
from sinks.postgres.cursor_store import Cursor, CursorStore, Source
from sinks.postgres.source_store import ListedSource, SourceStore
from tests.support.dovecot import PASSWORD, USER
from tests.support.shop import WORKSPACE, settings
from tests.support.system import Broker, Dsns


class Reading:
    """Starts mail processes. Called, it is one for the length of a block."""

    def __init__(self, broker: Broker, database: Dsns, port: int, folder: Path) -> None:
        self._broker, self._database, self._port, self._folder = broker, database, port, folder

    @asynccontextmanager
    async def __call__(self, poll_seconds: float = 500, **mailbox: Any) -> AsyncIterator[MailService]:
        """Without `poll_seconds` a poll never comes within a test: what arrives without IDLE would not arrive."""
        usual = {"host": "127.0.0.1", "port": self._port, "user": USER, "password": PASSWORD, "tls": "none"}
        box = Mailbox(workspace="shop", account="support", **(usual | mailbox))
        chosen = {"poll_seconds": poll_seconds, "mailboxes": (box,)}
        service = MailService(settings(self._broker, self._database, self._folder, **chosen))
        task = asyncio.create_task(service.run())
        try:
            yield service
        finally:
            await service.stop()
            await asyncio.wait_for(task, 20)


def mail(number: int, sender: str = "ann@example.com") -> bytes:
    head = f"From: {sender}\r\nTo: support@shop.example\r\nMessage-ID: <{number}@example.com>\r\nSubject: Order {number}\r\n"
    return f"{head}\r\nWhere is my order {number}?\r\n".encode()


async def cursor(database: Dsns, folder: str = "INBOX") -> Cursor:
    async with Database(database.app, max_size=1) as connection:
        return await CursorStore(connection).read(Source(WORKSPACE, "email", "support", folder))


async def reaches(database: Dsns, position: int) -> None:
    """Waits until the cursor of INBOX has come so far."""
    async with asyncio.timeout(30):
        while True:
            if (await cursor(database)).position >= position:
                return
            await asyncio.sleep(0.05)


async def listed(database: Dsns, wanted: Callable[[ListedSource], bool]) -> ListedSource:
    """INBOX as `frontdesk channels` shows it, once it is as wanted."""
    async with asyncio.timeout(30), Database(database.app, max_size=1) as opened:
        while True:
            for source in await SourceStore(opened).listed(WORKSPACE):
                if source.folder == "INBOX" and wanted(source):
                    return source
            await asyncio.sleep(0.05)
