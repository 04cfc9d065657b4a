"""Removes archived bytes that nobody refers to any more, once no message on its way can refer to them either."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from runtime.postgres import Database
from runtime.settings import Settings
from sinks.archive import Archive
from sinks.periodic import Periodic
from sinks.postgres.sql import queries
from sinks.verify import Ledger, verify

log = structlog.get_logger(__name__)

_DOOR_SECONDS = 60.0
"""Longer than a door takes from putting bytes to the record that refers to them."""


@dataclass(frozen=True, slots=True)
class _Fence:
    """How far the doors were at a moment."""

    at: float
    accepted: dict[tuple[str, int], int]

    def is_behind(self, ledger: Ledger) -> bool:
        """Whether everything that had been accepted has its terminal row, and so its references, by now."""
        closed = {(one.topic, one.partition): one.closed for one in ledger.partitions}
        return all(closed.get(place, 0) >= offset for place, offset in self.accepted.items())


class Sweeper(Periodic):
    """Looks at bytes that lost a reference. They go when nothing stored needs them, and nobody put them again since a
    moment of which every accepted message is stored by now.

    `spooled` gives the undrained entries of the spools: while there are any, nothing is removed.
    """

    def __init__(
        self, settings: Settings, system_db: Database, archive: Archive, spooled: Callable[[], int]
    ) -> None:
        super().__init__(15.0)
        self._settings = settings
        self._database = system_db
        self._archive = archive
        self._spooled = spooled
        self._fence: _Fence | None = None

    async def tick(self) -> None:
        await self._database.open()
        rows = await self._database.fetch([], queries("garbage")["found"])
        if not rows:
            self._fence = None
            return
        at = time.time()
        ledger = await verify(self._settings, self._database, self._spooled)
        before, self._fence = self._fence, self._fence or _fence(at, ledger)
        if before is None or not before.is_behind(ledger):
            return
        self._fence = _fence(at, ledger)
        # Looked at again: what was on its way has brought its references.
        rows = await self._database.fetch([], queries("garbage")["found"])
        settled = [digest for digest, needed in rows if needed or await self._removed(digest, before)]
        async with self._database.transaction() as connection:
            await connection.execute(queries("garbage")["settled"], {"digests": settled})
        log.info("archive swept", settled=len(settled), waiting=len(rows) - len(settled))

    async def _removed(self, digest: str, before: _Fence) -> bool:
        idle = await self._archive.put_since(digest)
        if idle is not None and time.time() - idle > before.at - _DOOR_SECONDS:
            return False
        await self._archive.remove(digest)
        return True


def _fence(at: float, ledger: Ledger) -> _Fence | None:
    if ledger.spooled:
        return None
    return _Fence(at, {(one.topic, one.partition): one.accepted for one in ledger.partitions})
