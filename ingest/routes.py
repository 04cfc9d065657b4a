"""The routes of the HTTP door. 2xx only for what is durable, 503 with Retry-After when nothing is."""

from __future__ import annotations

from litestar import Litestar, MediaType, Response, get, post
from litestar.datastructures import ResponseHeader, State
from litestar.params import FromPath

from ingest import chat_page, chat_socket, embed, form_page, form_routes, proof_page, rating_page
from ingest.channel import Reply
from ingest.chat import ChatDoor
from ingest.chat_hub import Hub
from ingest.cors import Cors
from ingest.gateway import Gateway, GatewayRequest
from runtime import problems


def _gateway(request: GatewayRequest) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


@post(
    ["/webhooks/{channel:str}", "/webhooks/{channel:str}/{account:str}"],
    status_code=200,
    summary="A provider's call",
)
async def receive_webhook(
    request: GatewayRequest, channel: FromPath[str], account: FromPath[str | None] = None
) -> Response[bytes]:
    return _answered(await _gateway(request).call(channel, account, request))


@get(
    ["/webhooks/{channel:str}", "/webhooks/{channel:str}/{account:str}"],
    summary="A provider asks whether we are there",
)
async def register_webhook(
    request: GatewayRequest, channel: FromPath[str], account: FromPath[str | None] = None
) -> Response[bytes]:
    return _answered(_gateway(request).register(channel, account, request))


@post("/calls", status_code=200, summary="What became of a telephone call")
async def receive_call(request: GatewayRequest) -> Response[bytes]:
    return _answered(await _gateway(request).call("call", None, request))


@post("/ratings", status_code=200, summary="A rating, from another system")
async def receive_rating(request: GatewayRequest) -> Response[bytes]:
    return _answered(await _gateway(request).call("rating", None, request))


@get("/ratings/{token:str}", media_type=MediaType.HTML, summary="Rate an answer")
async def show_rating(request: GatewayRequest, token: FromPath[str]) -> str:
    """Only shows: programs that look into mails follow links, and count for nothing."""
    _gateway(request).rated(token)
    return rating_page.question(token, request.query_params.get("score", ""))


@post("/ratings/{token:str}", status_code=200, media_type=MediaType.HTML, summary="Send a rating")
async def submit_rating(request: GatewayRequest, token: FromPath[str]) -> str:
    await _gateway(request).rate(token, request)
    return rating_page.thanks()


def _answered(reply: Reply) -> Response[bytes]:
    return Response(reply.body, status_code=200, media_type=reply.media_type)


def create_app(gateway: Gateway, chat: ChatDoor, hub: Hub, proofs: proof_page.ProofDoor) -> Litestar:
    """The ASGI application."""
    return Litestar(
        route_handlers=[
            *form_routes.HANDLERS,
            *(receive_webhook, register_webhook),
            *proof_page.HANDLERS,
            *(receive_call, receive_rating, show_rating, submit_rating),
            *(embed.show_script, chat_page.show_chat, chat_socket.chat),
        ],
        middleware=[Cors(gateway.accounts)],
        state=State({"gateway": gateway, "chat": chat, "hub": hub, "proofs": proofs}),
        exception_handlers=problems.HANDLERS,
        response_headers=[
            ResponseHeader(name="Cache-Control", value="no-store"),
            ResponseHeader(name="Content-Security-Policy", value=form_page.SECURITY_POLICY),
            ResponseHeader(name="Referrer-Policy", value="no-referrer"),
            ResponseHeader(name="X-Content-Type-Options", value="nosniff"),
        ],
        openapi_config=None,
        request_max_body_size=None,  # each channel has its own limit
        logging_config=None,
    )
