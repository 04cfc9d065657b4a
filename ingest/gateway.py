"""The HTTP door: forms and webhooks. Answers 2xx only for what is durable, 503 with Retry-After when nothing is."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

from litestar import Litestar, MediaType, Request, Response, get, post
from litestar.datastructures import ResponseHeader, State
from litestar.exceptions import HTTPException
from litestar.params import FromPath

from contracts.errors import Poison, Refused, Transient
from contracts.ids import receipt, workspace_id
from contracts.workspace import Account, Workspace
from ingest import form_page, forms
from ingest.accounts import Accounts
from ingest.channel import Channel, Raw, Verifies, channels
from ingest.channel import Request as Call
from ingest.cors import Cors
from ingest.idempotency import Idempotency
from ingest.intake import Intake, Receipt
from runtime import metrics, problems, trace
from runtime.clock import Clock
from runtime.settings import Settings

_BODY_SECONDS = 60

GatewayRequest = Request[Any, Any, Any]


class Gateway:
    """What the routes share."""

    def __init__(
        self, settings: Settings, intake: Intake, accounts: Accounts, keys: Idempotency, clock: Clock
    ) -> None:
        self._secrets = {
            (workspace_id(bot.workspace), "telegram", bot.account): (bot.secret,)
            for bot in settings.bots
            if bot.secret
        }
        self._intake = intake
        self._keys = keys
        self._clock = clock
        self.accounts = accounts
        self.draining = False

    async def submit(self, form: str, request: GatewayRequest) -> Receipt:
        """A form's submission, taken in. What nobody signed and nobody can read is refused, not kept."""
        channel = channels()["webform"]
        workspace, account = self._account(channel, form)
        key = str(uuid4())
        raw = replace(await self._raw(request, channel, workspace, account), options={"key": key})
        try:
            messages = channel.normalise(raw).messages
        except Poison as error:
            metrics.refused.labels(channel.name, raw.account, error.reason).inc()
            raise Refused(error.reason, error.detail or "the body cannot be read", status=400) from None
        for message in messages:
            if message.provider_id != key:
                await self._keys.check(message)
        return await self._accept(channel, raw)

    async def call(self, name: str, account_id: str, request: GatewayRequest) -> Receipt:
        """A provider's webhook: verified over the raw bytes before anything is read."""
        channel = channels().get(name)
        if channel is None or not isinstance(channel, Verifies):
            raise Refused("unknown_channel", "no such webhook", status=404)
        workspace, account = self._account(channel, account_id)
        raw = await self._raw(request, channel, workspace, account)
        secrets = self._secrets.get((workspace_id(workspace.slug), name, account_id), ())
        try:
            channel.verify(Call("POST", request.url.path, {}, raw.headers, raw.body), secrets)
        except Refused as error:
            metrics.signature_failures.labels(name, account_id, error.reason).inc()
            raise
        return await self._accept(channel, raw)

    def _account(self, channel: Channel, named: str) -> tuple[Workspace, Account]:
        found = self.accounts.find(channel.name, named)
        if found is None:
            raise Refused("unknown_account", f"no {channel.name} account of this name", status=404)
        return found

    async def _raw(
        self, request: GatewayRequest, channel: Channel, workspace: Workspace, account: Account
    ) -> Raw:
        return Raw(
            body=await _body(request, channel.limits.body),
            workspace=workspace_id(workspace.slug),
            account=account.id,
            received_at=self._clock.now(),
            content_type=request.headers.get("content-type", ""),
            headers={name.lower(): value for name, value in request.headers.items()},
            store=account.store,
            region=account.region,
            trace=trace.current_or_new(request.headers.get("traceparent")),
        )

    async def _accept(self, channel: Channel, raw: Raw) -> Receipt:
        started = time.monotonic()
        if self.draining:
            metrics.refused.labels(channel.name, raw.account, "draining").inc()
            raise Transient("draining", retry_after=2)
        try:
            taken = await self._intake.accept(channel, raw)
        except Refused as error:
            metrics.refused.labels(channel.name, raw.account, error.reason).inc()
            raise
        except Transient:
            metrics.refused.labels(channel.name, raw.account, "unavailable").inc()
            raise
        metrics.accept_duration.labels(channel.name, raw.account).observe(time.monotonic() - started)
        return taken


async def _body(request: GatewayRequest, most: int) -> bytes:
    """The raw body, given up as soon as it is too large or too slow."""
    parts, size = [], 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise Refused("too_large", f"over {most} bytes", status=413)
                parts.append(part)
    except TimeoutError:
        raise Refused("too_slow", f"the body took over {_BODY_SECONDS} s", status=408) from None
    return b"".join(parts)


def _gateway(request: GatewayRequest) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


@get("/forms/{form:str}", media_type=MediaType.HTML, summary="The contact form as a page")
async def show_form(request: GatewayRequest, form: FromPath[str]) -> str:
    found = _gateway(request).accounts.find("webform", form)
    if found is None:
        raise Refused("unknown_form", "no form of this name", status=404)
    return form_page.form(*found, named=form)


@post("/forms/{form:str}/submissions", status_code=202, summary="Send a form")
async def submit_form(request: GatewayRequest, form: FromPath[str]) -> Response[Any]:
    plain = forms.media_type(request.headers.get("content-type", "")) in (forms.URLENCODED, forms.MULTIPART)
    try:
        taken = await _gateway(request).submit(form, request)
    except Refused as error:
        if not plain:
            raise
        page = form_page.refusal(f"{error.field}: {error.detail}" if error.field else error.detail)
        return Response(page, status_code=error.status, media_type=MediaType.HTML)
    reference = receipt(taken.message_ids[0])
    if plain:
        return Response(form_page.receipt(reference), status_code=202, media_type=MediaType.HTML)
    return Response({"receipt": reference}, status_code=202)


@post("/webhooks/{channel:str}/{account:str}", status_code=200, summary="A provider's call")
async def receive_webhook(
    request: GatewayRequest, channel: FromPath[str], account: FromPath[str]
) -> Response[bytes]:
    await _gateway(request).call(channel, account, request)
    return Response(b"", status_code=200, media_type=MediaType.TEXT)


def create_app(gateway: Gateway) -> Litestar:
    """The ASGI application."""
    return Litestar(
        route_handlers=[show_form, submit_form, receive_webhook],
        middleware=[Cors(gateway.accounts)],
        state=State({"gateway": gateway}),
        exception_handlers={
            Refused: problems.refused,
            Transient: problems.transient,
            Poison: problems.poison,
            HTTPException: problems.http_error,
            Exception: problems.fault,
        },
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
