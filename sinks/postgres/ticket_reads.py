"""What the desk shows of tickets. `visible` is the departments that the reader may see (None: all of them); tickets that they
hold themselves, `holder` is who they are, may lie in others."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

import msgspec

from contracts.base import decoder
from contracts.errors import Refused
from contracts.inbound import InboundMessage
from contracts.ticket import Status, Ticket
from runtime.postgres import Connection, Database
from sinks.postgres.rows import StoredTicket, due_at, stored_tickets
from sinks.postgres.sql import queries

_inbound = decoder(InboundMessage)

FileState = Literal["waiting", "fetched", "expired", "refused", "failed"]

Visible = Sequence[str] | None


class TicketFilter(msgspec.Struct, frozen=True, kw_only=True):
    """All given fields must hold."""

    department: str | None = None
    status: Status | None = None
    channel: str | None = None
    customer: UUID | None = None
    agent: str | None = None
    unassigned: bool = False


class Page(NamedTuple):
    """`cursor` is opaque and leads to the next page; None: this is the last one."""

    tickets: list[StoredTicket]
    cursor: str | None


class StoredFile(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a file that stays at its provider. `place`: which of the message's attachments, from 0."""

    place: int
    state: FileState
    reason: str | None
    sha256: str | None
    type: str | None
    size: int | None


class StoredMessage(NamedTuple):
    """A message of a ticket, or an event about one."""

    happened_at: datetime
    out_of_order: bool
    duplicate_of: UUID | None
    message: InboundMessage
    files: list[StoredFile]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """Why a message went where it went: the decision record, as it was written."""

    message_id: UUID
    rule_set: str
    decided_at: datetime
    record: msgspec.Raw


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One change of a ticket."""

    version: int
    at: datetime
    actor: str
    action: str
    detail: msgspec.Raw


_files = decoder(list[StoredFile])


class TicketHistory(NamedTuple):
    """A ticket with everything behind it, read in one transaction."""

    stored: StoredTicket
    messages: list[StoredMessage]
    decisions: list[Decision]
    audit: list[AuditEntry]


class _Position(msgspec.Struct, frozen=True, array_like=True):
    """The cursor's content: the sort key of the last ticket of a page."""

    due: datetime | None
    created: datetime
    number: int


class TicketReads:
    """Reads of one workspace at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def page(
        self,
        workspace: UUID,
        visible: Visible,
        wanted: TicketFilter,
        cursor: str | None,
        limit: int,
        holder: str | None = None,
    ) -> Page:
        """Tickets in the order in which they should be worked on. Raises `Refused` for a cursor we did not make."""
        after = _position(cursor) if cursor else None
        parameters = msgspec.structs.asdict(wanted) | {
            "workspace": workspace,
            "visible": _array(visible),
            "holder": holder,
            "after_due": after and after.due,
            "after_created": after and after.created,
            "after_number": after and after.number,
            "limit": limit + 1,
        }
        async with self._database.transaction([workspace]) as connection:
            found = await stored_tickets(
                await connection.execute(queries("ticket_reads")["list_tickets"], parameters)
            )
        tickets = found[:limit]
        return Page(tickets, _cursor(tickets[-1].ticket) if len(found) > limit else None)

    async def history(
        self, workspace: UUID, visible: Visible, named: str, holder: str | None = None
    ) -> TicketHistory | None:
        """The ticket with this number or id; None when there is none that the reader may see."""
        sql = queries("ticket_reads")
        async with self._database.transaction([workspace]) as connection:
            stored = await one_ticket(connection, workspace, visible, named, holder)
            if stored is None:
                return None
            key = {"workspace": workspace, "ticket": stored.ticket.id}
            messages = await (await connection.execute(sql["conversation"], key)).fetchall()
            decisions = await (await connection.execute(sql["decisions"], key)).fetchall()
            audit = await (await connection.execute(sql["audit_trail"], key)).fetchall()
        return TicketHistory(
            stored,
            [
                StoredMessage(at, late, twin, _inbound.decode(payload), _files.decode(files))
                for at, late, twin, payload, files in messages
            ],
            [
                Decision(message_id=message, rule_set=rules, decided_at=at, record=msgspec.Raw(record))
                for message, rules, at, record in decisions
            ],
            [
                AuditEntry(version=version, at=at, actor=actor, action=action, detail=msgspec.Raw(detail))
                for version, at, actor, action, detail in audit
            ],
        )

    async def counts(self, workspace: UUID, visible: Visible) -> dict[str, dict[str, int]]:
        """Department -> status -> tickets; what is not there is zero."""
        parameters = {"workspace": workspace, "visible": _array(visible)}
        found: dict[str, dict[str, int]] = {}
        for department, status, count in await self._database.fetch(
            [workspace], queries("ticket_reads")["counts"], parameters
        ):
            found.setdefault(department, {})[status] = count
        return found


async def one_ticket(
    connection: Connection,
    workspace: UUID,
    visible: Visible,
    named: str,
    holder: str | None = None,
    locked: bool = False,
) -> StoredTicket | None:
    """The ticket with this number or id, if the reader may see it; `locked`, as `lock_tickets` does it: as it is under the
    lock, and if it may be seen then."""
    number, identity = _named(named)
    if number is None and identity is None:
        return None
    parameters = {
        "workspace": workspace,
        "visible": _array(visible),
        "holder": holder,
        "number": number,
        "id": identity,
    }
    query = queries("ticket_reads")["one_ticket"] + ("\nFOR NO KEY UPDATE OF t" if locked else "")
    found = await stored_tickets(await connection.execute(query, parameters))
    return found[0] if found else None


def _array(visible: Visible) -> list[str] | None:
    return None if visible is None else list(visible)


def _named(text: str) -> tuple[int | None, UUID | None]:
    """A number (as `bigint` holds them) or an id."""
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return int(text), None
    try:
        return None, UUID(text)
    except ValueError:
        return None, None


def _cursor(ticket: Ticket) -> str:
    position = _Position(due=due_at(ticket), created=ticket.created_at, number=ticket.number)
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def _position(cursor: str) -> _Position:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return msgspec.json.decode(raw, type=_Position)
    except (binascii.Error, ValueError):
        raise Refused("bad_cursor", "not a cursor of this list", field="cursor") from None
