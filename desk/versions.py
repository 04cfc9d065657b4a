"""Versions of tickets over HTTP: the `ETag` of an answer is what the next change's `If-Match` names (RFC 9110)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response
from litestar.params import HeaderParameter

from contracts.errors import Refused
from contracts.ticket import Ticket
from desk.seen import seen
from sinks.postgres.rows import StoredTicket

IfMatch = Annotated[
    str | None, HeaderParameter(name="If-Match", description="The version that the change is based on.")
]
IdempotencyKey = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        max_length=255,
        description="Sent again with the same key, it is the same answer.",
    ),
]


class TicketSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket without its conversation, and without the earlier tickets that it tells of."""

    ticket: Ticket
    version: int


def summary(stored: StoredTicket) -> TicketSummary:
    """What lists and changes answer with."""
    return TicketSummary(ticket=seen(stored.ticket, ()), version=stored.version)


def respond(stored: StoredTicket, status: int = 200) -> Response[TicketSummary | None]:
    """The ticket with its version."""
    return Response(summary(stored), status_code=status, headers={"ETag": etag(stored.version)})


def etag(version: int) -> str:
    """A strong one: a version is one state of a ticket, byte for byte."""
    return f'"{version}"'


def expected(if_match: str | None) -> int | None:
    """The version in an `If-Match` header. Raises `Refused` for one that we never gave."""
    if if_match is None or if_match.strip() == "*":
        return None
    version = if_match.strip().strip('"')
    if not (version.isascii() and version.isdigit()):
        raise Refused("version_conflict", "no version of this ticket", status=412)
    return int(version)
