"""The desk's HTTP API. Routes only translate; what happens is in `desk/tickets.py`, who may is in `desk/auth.py`.
Changes of tickets, agents and customers have files of their own: `desk/work_routes.py`, `desk/agent_routes.py` and
`desk/customer_routes.py`."""

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
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from contracts.ticket import Status, Ticket
from desk.agent_routes import ROUTES as AGENT_ROUTES
from desk.answers import Answers
from desk.auth import Authenticator
from desk.customer_routes import ROUTES as CUSTOMER_ROUTES
from desk.customers import Customers
from desk.middleware import Authentication, CallMetrics, DeskRequest
from desk.order_routes import ROUTES as ORDER_ROUTES
from desk.orders import Orders
from desk.presence import People
from desk.proof_routes import ROUTES as PROOF_ROUTES
from desk.proofs import Proofs
from desk.pull import Pull
from desk.seen import seen
from desk.tickets import DepartmentCounts, Queue, TicketDetail, Tickets
from desk.versions import IdempotencyKey, IfMatch, TicketSummary, etag, expected, summary
from desk.work import Work
from desk.work_routes import ROUTES as WORK_ROUTES
from runtime import problems
from sinks.postgres.ticket_reads import AuditEntry, TicketFilter

_MAX_BODY_BYTES = 64 * 1024
_NOBODY = "nobody"

Limit = Annotated[int, QueryParameter(ge=1, le=200)]


class TicketPage(msgspec.Struct, frozen=True, kw_only=True):
    """`cursor` leads to the next page; null: this is the last one."""

    tickets: list[TicketSummary]
    cursor: str | None


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
    return TicketPage(tickets=[summary(stored) for stored in page.tickets], cursor=page.cursor)


@get("/tickets/{number:str}", summary="One ticket by number or id, with conversation, decisions and trail")
async def read_ticket(
    request: DeskRequest, tickets: NamedDependency[Tickets], number: FromPath[str]
) -> Response[TicketDetail]:
    detail = await tickets.detail(request.user, number)
    return Response(detail, headers={"ETag": etag(detail.version)})


@get("/tickets/{number:str}/trail", summary="Everything that happened to a ticket, in order")
async def read_trail(
    request: DeskRequest, tickets: NamedDependency[Tickets], number: FromPath[str]
) -> list[AuditEntry]:
    return await tickets.trail(request.user, number)


@post(
    "/tickets/{number:str}/messages",
    status_code=201,
    summary="Answer the customer: in their chat, else by mail from the ticket's department",
)
async def answer_ticket(
    request: DeskRequest,
    answers: NamedDependency[Answers],
    number: FromPath[str],
    data: JSONBody[NewAnswer],
    if_match: IfMatch = None,
    key: IdempotencyKey = None,
) -> Response[AnswerSent]:
    sent = await answers.send(request.user, number, data.text, key or str(uuid4()), expected(if_match))
    body = AnswerSent(ticket=seen(sent.stored.ticket, ()), version=sent.stored.version, message=sent.answer)
    return Response(body, headers={"ETag": etag(sent.stored.version)})


@post("/tickets/{number:str}/typing", status_code=204, summary="Show the customer that somebody is writing")
async def show_typing(request: DeskRequest, answers: NamedDependency[Answers], number: FromPath[str]) -> None:
    await answers.typing(request.user, number)


@get("/departments/counts", summary="Tickets per department and status")
async def count_tickets(request: DeskRequest, tickets: NamedDependency[Tickets]) -> list[DepartmentCounts]:
    return await tickets.counts(request.user)


@get("/queues", summary="What waits for an agent, by department and category")
async def list_queues(request: DeskRequest, tickets: NamedDependency[Tickets]) -> list[Queue]:
    return await tickets.queues(request.user)


def create_app(
    tickets: Tickets,
    work: Work,
    pull: Pull,
    people: People,
    answers: Answers,
    customers: Customers,
    orders: Orders,
    proofs: Proofs,
    authenticator: Authenticator,
) -> Litestar:
    """The ASGI application."""
    return Litestar(
        route_handlers=[
            list_tickets,
            read_ticket,
            read_trail,
            answer_ticket,
            show_typing,
            count_tickets,
            list_queues,
            WORK_ROUTES,
            *AGENT_ROUTES,
            *CUSTOMER_ROUTES,
            *ORDER_ROUTES,
            *PROOF_ROUTES,
        ],
        dependencies={
            "tickets": Provide(lambda: tickets, sync_to_thread=False),
            "work": Provide(lambda: work, sync_to_thread=False),
            "pull": Provide(lambda: pull, sync_to_thread=False),
            "people": Provide(lambda: people, sync_to_thread=False),
            "answers": Provide(lambda: answers, sync_to_thread=False),
            "customers": Provide(lambda: customers, sync_to_thread=False),
            "proofs": Provide(lambda: proofs, sync_to_thread=False),
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
