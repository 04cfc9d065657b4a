"""Look-ups of the command line: tickets, messages and decisions as rows of plain values."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

from contracts.ids import receipt_range
from runtime.postgres import Database
from sinks.postgres.rows import StoredTicket, stored_tickets
from sinks.postgres.sql import queries

_PAGE = 500


class Inspection:
    """Reads of one workspace."""

    def __init__(self, database: Database, workspace: UUID) -> None:
        self._database = database
        self._workspace = workspace

    async def rows(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a query of `inspect.sql`, by column name."""
        async with self._database.transaction([self._workspace]) as connection:
            cursor = await connection.execute(
                queries("inspect")[query], {"workspace": self._workspace, **parameters}
            )
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in await cursor.fetchall()]

    async def find_ticket(self, named: str) -> UUID | None:
        """The ticket with this number, this id, or a message with this id or receipt."""
        number = int(named) if named.isdigit() else None
        identity = None if number is not None else _uuid(named)
        span = receipt_range(named) or (identity, identity)
        found = await self.rows("find_ticket", number=number, id=identity, low=span[0], high=span[1])
        return found[0]["ticket_id"] if found else None

    async def tickets(
        self, department: str | None = None, status: str | None = None, ticket: UUID | None = None
    ) -> AsyncIterator[StoredTicket]:
        """Tickets in order of their numbers, fetched page by page."""
        after = 0
        while True:
            parameters = {"department": department, "status": status, "ticket": ticket}
            async with self._database.transaction([self._workspace]) as connection:
                cursor = await connection.execute(
                    queries("inspect")["all_tickets"],
                    {"workspace": self._workspace, "after": after, "limit": _PAGE, **parameters},
                )
                page = await stored_tickets(cursor)
            for stored in page:
                yield stored
            if len(page) < _PAGE:
                return
            after = page[-1].ticket.number


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
