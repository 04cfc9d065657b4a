"""The desk's HTTP API. Routes only translate; what happens is in `desk/tickets.py`, who may is in `desk/auth.py`.
Customers have a file of their own, `desk/customer_routes.py`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID, uuid4

import msgspec
from litestar import Litestar, Response, get, post
from litestar.datastructures import ResponseHeader, State
from litestar.di import NamedDependency, Provide
from litestar.middleware import DefineMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody, QueryParameter

from contracts.errors import Refused
from contracts.ticket import Status, Ticket
from desk.answers import Answers
from desk.auth import Authenticator
from desk.customer_routes import ROUTES as CUSTOMER_ROUTES
from desk.customers import Customers
from desk.middleware import Authentication, CallMetrics, DeskRequest
from desk.order_routes import ROUTES as ORDER_ROUTES
from desk.orders import Orders
from desk.tickets import DepartmentCounts, Me, SettableStatus, TicketDetail, Tickets
from runtime import problems
from sinks.postgres.rows import StoredTicket
from sinks.postgres.ticket_reads import TicketFilter

_MAX_BODY_BYTES = 64 * 1024
_NOBODY = "nobody"

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
Limit = Annotated[int, QueryParameter(ge=1, le=200)]


class TicketSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket without its conversation."""

    ticket: Ticket
    version: int


class TicketPage(msgspec.Struct, frozen=True, kw_only=True):
    """`cursor` leads to the next page; null: this is the last one."""

    tickets: list[TicketSummary]
    cursor: str | None


class Assignment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`agent` null: back to the department's queue."""

    agent: str | None


class StatusChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    status: SettableStatus


class NewAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    text: str


class AnswerSent(msgspec.Struct, frozen=True, kw_only=True):
    """`message`: the answer as the ticket's conversation names it."""

    ticket: Ticket
    version: int
    message: UUID


@get("/tickets", summary="List tickets, the most urgent first")
async def list_tickets(
    request: DeskRequest,
    tickets: NamedDependency[Tickets],
    department: FromQuery[str | None] = None,
    status: FromQuery[Status | None] = None,
    agent: Annotated[str | None, QueryParameter(description="An agent's id, or `nobody`.")] = None,
    channel: FromQuery[str | None] = None,
    customer: FromQuery[UUID | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: Limit = 50,
) -> TicketPage:
    wanted = TicketFilter(
        department=department,
        status=status,
        agent=None if agent == _NOBODY else agent,
        unassigned=agent == _NOBODY,
        channel=channel,
        customer=customer,
    )
    page = await tickets.page(request.user, wanted, cursor, limit)
    return TicketPage(tickets=[_summary(stored) for stored in page.tickets], cursor=page.cursor)


@get("/tickets/{number:str}", summary="One ticket by number or id, with conversation, decisions and trail")
async def read_ticket(
    request: DeskRequest, tickets: NamedDependency[Tickets], number: FromPath[str]
) -> Response[TicketDetail]:
    detail = await tickets.detail(request.user, number)
    return Response(detail, headers={"ETag": _etag(detail.version)})


@post(
    "/tickets/next",
    status_code=200,
    summary="Pull the next ticket; 204 when none waits, 409 when one is still held",
)
async def pull_ticket(
    request: DeskRequest, tickets: NamedDependency[Tickets]
) -> Response[TicketSummary | None]:
    stored = await tickets.pull(request.user)
    return Response(None, status_code=204) if stored is None else _respond(stored)


@post(
    "/tickets/{number:str}/assign", status_code=200, summary="Give a ticket to an agent, or back to its queue"
)
async def assign_ticket(
    request: DeskRequest,
    tickets: NamedDependency[Tickets],
    number: FromPath[str],
    data: JSONBody[Assignment],
    if_match: IfMatch = None,
) -> Response[TicketSummary | None]:
    return _respond(await tickets.assign(request.user, number, data.agent, _expected(if_match)))


@post("/tickets/{number:str}/status", status_code=200, summary="Move a ticket to another status")
async def set_status(
    request: DeskRequest,
    tickets: NamedDependency[Tickets],
    number: FromPath[str],
    data: JSONBody[StatusChange],
    if_match: IfMatch = None,
) -> Response[TicketSummary | None]:
    return _respond(await tickets.set_status(request.user, number, data.status, _expected(if_match)))


@post("/tickets/{number:str}/messages", status_code=201, summary="Answer the customer, in their chat")
async def answer_ticket(
    request: DeskRequest,
    answers: NamedDependency[Answers],
    number: FromPath[str],
    data: JSONBody[NewAnswer],
    if_match: IfMatch = None,
    key: IdempotencyKey = None,
) -> Response[AnswerSent]:
    sent = await answers.send(request.user, number, data.text, key or str(uuid4()), _expected(if_match))
    body = AnswerSent(ticket=sent.stored.ticket, version=sent.stored.version, message=sent.answer)
    return Response(body, headers={"ETag": _etag(sent.stored.version)})


@post("/tickets/{number:str}/typing", status_code=204, summary="Show the customer that somebody is writing")
async def show_typing(request: DeskRequest, answers: NamedDependency[Answers], number: FromPath[str]) -> None:
    await answers.typing(request.user, number)


@get("/departments/counts", summary="Tickets per department and status")
async def count_tickets(request: DeskRequest, tickets: NamedDependency[Tickets]) -> list[DepartmentCounts]:
    return await tickets.counts(request.user)


@get("/agents/me", summary="The holder of the key")
async def read_me(request: DeskRequest, tickets: NamedDependency[Tickets]) -> Me:
    return await tickets.me(request.user)


def create_app(
    tickets: Tickets, answers: Answers, customers: Customers, orders: Orders, authenticator: Authenticator
) -> Litestar:
    """The ASGI application."""
    return Litestar(
        route_handlers=[
            list_tickets,
            read_ticket,
            pull_ticket,
            assign_ticket,
            set_status,
            answer_ticket,
            show_typing,
            count_tickets,
            read_me,
            *CUSTOMER_ROUTES,
            *ORDER_ROUTES,
        ],
        dependencies={
            "tickets": Provide(lambda: tickets, sync_to_thread=False),
            "answers": Provide(lambda: answers, sync_to_thread=False),
            "customers": Provide(lambda: customers, sync_to_thread=False),
            "order_book": Provide(lambda: orders, sync_to_thread=False),
        },
        middleware=[CallMetrics(), DefineMiddleware(Authentication, exclude=["^/openapi.json/?$"])],
        state=State({"authenticator": authenticator}),
        exception_handlers=problems.HANDLERS,
        openapi_config=OpenAPIConfig(
            title="Frontdesk desk",
            version="1",
            path="/openapi.json",
            render_plugins=[JsonRenderPlugin(path="/")],
            components=Components(security_schemes={"key": SecurityScheme(type="http", scheme="bearer")}),
            security=[{"key": []}],
        ),
        response_headers=[
            ResponseHeader(name="Cache-Control", value="no-store"),
            ResponseHeader(name="X-Content-Type-Options", value="nosniff"),
        ],
        request_max_body_size=_MAX_BODY_BYTES,
        # The process configures logs, once.
        logging_config=None,
    )


def _summary(stored: StoredTicket) -> TicketSummary:
    return TicketSummary(ticket=stored.ticket, version=stored.version)


def _respond(stored: StoredTicket) -> Response[TicketSummary | None]:
    return Response(_summary(stored), headers={"ETag": _etag(stored.version)})


def _etag(version: int) -> str:
    return f'"{version}"'


def _expected(if_match: str | None) -> int | None:
    """The version in an `If-Match` header. Raises `Refused` for one that we never gave."""
    if if_match is None or if_match.strip() == "*":
        return None
    version = if_match.strip().strip('"')
    if not (version.isascii() and version.isdigit()):
        raise Refused("version_conflict", "no version of this ticket", status=412)
    return int(version)
