"""Crashes and fuses in Postgres (tables `stage_crashes`, `fuses`)."""

from __future__ import annotations

from collections.abc import Iterable

from runtime.clock import Clock
from runtime.incidents import Crash, PartitionKey
from runtime.postgres import Database
from sinks.postgres.sql import queries


class PostgresIncidents:
    """Implements `runtime.incidents.Incidents`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def crashes(self, stage: str) -> list[Crash]:
        rows = await self._database.fetch((), queries("incidents")["crashes"], {"stage": stage})
        return [Crash(*row) for row in rows]

    async def record_crashes(self, stage: str, crashes: Iterable[Crash]) -> None:
        async with self._database.transaction() as connection:
            for crash in crashes:
                values = {
                    "stage": stage,
                    "topic": crash.topic,
                    "partition": crash.partition,
                    "first": crash.first,
                    "last": crash.last,
                    "traceback": crash.traceback_sha256,
                    "at": self._clock.now(),
                }
                await connection.execute(queries("incidents")["record_crash"], values)

    async def open_fuses(self, stage: str) -> set[PartitionKey]:
        rows = await self._database.fetch((), queries("incidents")["open_fuses"], {"stage": stage})
        return {(topic, partition) for topic, partition in rows}

    async def open_fuse(self, stage: str, partition: PartitionKey, reason: str) -> None:
        values = {"stage": stage, "topic": partition[0], "partition": partition[1], "reason": reason}
        async with self._database.transaction() as connection:
            await connection.execute(queries("incidents")["open_fuse"], values | {"at": self._clock.now()})
