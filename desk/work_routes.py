"""The desk's routes that change tickets. They only translate; what happens is in `desk/work.py` and `desk/pull.py`."""

from __future__ import annotations

from typing import Annotated
from uuid import uuid4

import msgspec
from litestar import Response, Router, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from contracts.ticket import Priority
from desk.middleware import ACTS, DeskRequest
from desk.pull import Pull
from desk.versions import IdempotencyKey, IfMatch, TicketSummary, expected, respond
from desk.work import Work

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
Answer = Response[TicketSummary | None]


class Assignment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`agent` null: back to the department's queue."""

    agent: str | None


class Transfer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`department` by id or name; `category` one of its own. Without `agent` the department's method finds somebody."""

    department: str
    reason: Reason
    category: str | None = None
    agent: str | None = None


class StatusChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The status as the ticket's department calls it."""

    status: str


class NewNote(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: str


class Categorisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`category` null: none."""

    category: str | None


class Prioritisation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    priority: Priority


@post(
    "/tickets/next",
    status_code=200,
    summary="Pull the next ticket; 204 when none waits, 409 when one is still held",
)
async def pull_ticket(request: DeskRequest, pull: NamedDependency[Pull]) -> Answer:
    stored = await pull.next(request.user)
    return Response(None, status_code=204) if stored is None else respond(stored)


@post(
    "/tickets/{number:str}/assign", status_code=200, summary="Give a ticket to an agent, or back to its queue"
)
async def assign_ticket(
    request: DeskRequest,
    work: NamedDependency[Work],
    number: FromPath[str],
    data: JSONBody[Assignment],
    if_match: IfMatch = None,
) -> Answer:
    return respond(await work.assign(request.user, number, data.agent, expected(if_match)))


@post("/tickets/{number:str}/transfer", status_code=200, summary="Give a ticket to another department")
async def transfer_ticket(
    request: DeskRequest,
    work: NamedDependency[Work],
    number: FromPath[str],
    data: JSONBody[Transfer],
    if_match: IfMatch = None,
) -> Answer:
    stored = await work.transfer(
        request.user, number, data.department, data.category, data.agent, data.reason, expected(if_match)
    )
    return respond(stored)


@post(
    "/tickets/{number:str}/status",
    status_code=200,
    summary="Move a ticket to another status of its department; 422 names those that are allowed",
)
async def set_status(
    request: DeskRequest,
    work: NamedDependency[Work],
    number: FromPath[str],
    data: JSONBody[StatusChange],
    if_match: IfMatch = None,
) -> Answer:
    return respond(await work.set_status(request.user, number, data.status, expected(if_match)))


@post("/tickets/{number:str}/wait", status_code=200, summary="Wait for the customer")
async def wait_for_customer(
    request: DeskRequest, work: NamedDependency[Work], number: FromPath[str], if_match: IfMatch = None
) -> Answer:
    return respond(await work.wait_for_customer(request.user, number, expected(if_match)))


@post("/tickets/{number:str}/notes", status_code=201, summary="Add a note for colleagues")
async def add_note(
    request: DeskRequest,
    work: NamedDependency[Work],
    number: FromPath[str],
    data: JSONBody[NewNote],
    if_match: IfMatch = None,
    key: IdempotencyKey = None,
) -> Answer:
    stored = await work.note(request.user, number, data.text, key or str(uuid4()), expected(if_match))
    return respond(stored, status=201)


@post("/tickets/{number:str}/category", status_code=200, summary="Set a ticket's category, or take it away")
async def categorise_ticket(
    request: DeskRequest,
    work: NamedDependency[Work],
    number: FromPath[str],
    data: JSONBody[Categorisation],
    if_match: IfMatch = None,
) -> Answer:
    return respond(await work.categorise(request.user, number, data.category, expected(if_match)))


@post("/tickets/{number:str}/priority", status_code=200, summary="Set a ticket's priority, and its deadlines")
async def prioritise_ticket(
    request: DeskRequest,
    work: NamedDependency[Work],
    number: FromPath[str],
    data: JSONBody[Prioritisation],
    if_match: IfMatch = None,
) -> Answer:
    return respond(await work.prioritise(request.user, number, data.priority, expected(if_match)))


ROUTES = Router(
    path="/",
    route_handlers=(
        pull_ticket,
        assign_ticket,
        transfer_ticket,
        set_status,
        wait_for_customer,
        add_note,
        categorise_ticket,
        prioritise_ticket,
    ),
    opt={ACTS: True},
)
