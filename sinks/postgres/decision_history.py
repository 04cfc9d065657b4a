"""Decisions of the past with everything that they were made from: what replay and back-tests read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from contracts.workspace import Workspace
from runtime.postgres import Database
from sinks.postgres.config_store import ConfigStore
from sinks.postgres.sql import queries

_PAGE = 500
_NO_MESSAGE = UUID(int=0)


class Decided(NamedTuple):
    """A decision: its record and the message's inbound record, byte for byte; the customer's id and the ticket's number; when
    the ticket had its first answer, if it has."""

    message: UUID
    ticket: UUID
    rule_set: str
    decided_at: datetime
    record: bytes
    payload: bytes
    customer: UUID
    number: int
    answered: datetime | None


class DecisionHistory:
    """Of one workspace, oldest first, fetched page by page."""

    def __init__(self, database: Database, workspace: UUID) -> None:
        self._database = database
        self._workspace = workspace
        self._config = ConfigStore(database)

    async def count(self, since: datetime, until: datetime) -> int:
        """How many decisions were made from `since` on, and before `until`."""
        parameters = {"workspace": self._workspace, "since": since, "until": until}
        rows = await self._database.fetch(
            [self._workspace], queries("inspect")["count_decided_between"], parameters
        )
        return int(rows[0][0])

    async def between(self, since: datetime, until: datetime) -> AsyncIterator[list[Decided]]:
        """Pages of them. What is decided meanwhile is not missed and not read twice."""
        after = (since, _NO_MESSAGE)
        while True:
            parameters = {
                "workspace": self._workspace,
                "until": until,
                "after_time": after[0],
                "after_message": after[1],
                "limit": _PAGE,
            }
            rows = await self._database.fetch(
                [self._workspace], queries("inspect")["decided_between"], parameters
            )
            page = list(map(_decided, rows))
            if page:
                yield page
                after = (page[-1].decided_at, page[-1].message)
            if len(page) < _PAGE:
                return

    async def of_ticket(self, ticket: UUID) -> list[Decided]:
        """Those that a ticket has."""
        parameters = {"workspace": self._workspace, "ticket": ticket}
        query = queries("inspect")["decided_of_ticket"]
        return list(map(_decided, await self._database.fetch([self._workspace], query, parameters)))

    async def configuration(self, version: str) -> Workspace | None:
        """What decisions of this version were made with."""
        return await self._config.version(self._workspace, version)


def _decided(row: Sequence[Any]) -> Decided:
    message, ticket, rule_set, at, record, payload, *rest = row
    return Decided(message, ticket, rule_set, at, record.encode(), payload.encode(), *rest)
