"""The HTTP door without its routes: who is called, whether the call is genuine, and its way into the intake."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import Any
from uuid import uuid4

from litestar import Request

from contracts.errors import Poison, Refused, Transient
from contracts.ids import workspace_id
from contracts.workspace import Account, Workspace
from ingest import forms, rating_links
from ingest.accounts import Accounts, options
from ingest.channel import SUSPECTED, Channel, Handshakes, Raw, Replies, Reply, Verifies, channels
from ingest.channel import Request as Call
from ingest.form_door import FormDoor
from ingest.hooks import Hooks, Openings
from ingest.idempotency import Idempotency
from ingest.intake import Intake, Receipt
from runtime import metrics, trace
from runtime.clock import Clock
from runtime.settings import Settings

_BODY_SECONDS = 60
_RECEIVED = Reply()
_NONE_SERVED: Openings = {}

GatewayRequest = Request[Any, Any, Any]


class Gateway:
    """What the routes share."""

    def __init__(
        self, settings: Settings, intake: Intake, accounts: Accounts, keys: Idempotency, clock: Clock
    ) -> None:
        self._hooks = Hooks(settings)
        # Told apart once: asking what a channel can do costs a tenth of a call.
        found = channels()
        self._verifying = {name: channel for name, channel in found.items() if isinstance(channel, Verifies)}
        self._asked = {name: channel for name, channel in found.items() if isinstance(channel, Handshakes)}
        self._replies = {
            name: channel.reply for name, channel in found.items() if isinstance(channel, Replies)
        }
        self.forms = FormDoor(settings, self._hooks, clock)
        self._public = settings.gateway_url
        self._intake = intake
        self._keys = keys
        self._clock = clock
        self.accounts = accounts
        self.draining = False

    async def submission(self, form: str, request: GatewayRequest) -> Raw:
        """What a form sent, with a key for it, should it bring none."""
        channel = channels()["webform"]
        raw = await self._raw(request, channel, *self._account(channel, form))
        body, content_type = forms.settled(raw.body, raw.content_type)
        return replace(
            raw, body=body, content_type=content_type, options={**raw.options, "key": str(uuid4())}
        )

    async def submit(self, form: str, raw: Raw, address: str) -> Receipt:
        """A form's submission, taken in. `address`: the caller's. What nobody signed and nobody can read is refused, not
        kept."""
        channel = channels()["webform"]
        workspace, account = self._account(channel, form)
        try:
            [message] = channel.normalise(raw).messages
        except Poison as error:
            metrics.refused.labels(channel.name, raw.account, error.reason).inc()
            detail = error.detail or "the body cannot be read"
            raise Refused(error.reason, detail, status=400, field="body") from None
        if message.provider_id != raw.options["key"]:
            await self._keys.check(message)
        if why := self.forms.suspicion(workspace, account, message, address):
            raw = replace(raw, options={**raw.options, SUSPECTED: why})
        return await self.accept(channel, raw)

    async def call(self, name: str, named: str | None, request: GatewayRequest) -> Reply:
        """A provider's webhook: verified over the raw bytes before anything is read. Without a name the channel's only
        account is meant."""
        channel = self._verifying.get(name)
        if channel is None:
            raise Refused("unknown_channel", "no such webhook", status=404)
        workspace, account = self._account(channel, named)
        hook = self._hooks.of(workspace.slug, name, account.id)
        raw = await self._raw(request, channel, workspace, account, self._hooks.served(workspace, hook))
        url = f"{self._public.rstrip('/')}{_path(request)}"
        call = Call("POST", request.url.path, _query(request), raw.headers, raw.body, url, raw.received_at)
        try:
            channel.verify(call, hook.secrets)
        except Refused as error:
            metrics.signature_failures.labels(name, account.id, error.reason).inc()
            raise
        await self.accept(channel, raw)
        return self._replies.get(name, _RECEIVED)

    def register(self, name: str, named: str | None, request: GatewayRequest) -> Reply:
        """The answer to a provider that asks whether the address is ours."""
        channel = self._asked.get(name)
        if channel is None:
            raise Refused("unknown_channel", "no such webhook", status=404)
        workspace, account = self._account(channel, named)
        hook = self._hooks.of(workspace.slug, name, account.id)
        return channel.handshake(_query(request), hook.secrets, hook.verify_token)

    def rated(self, token: str) -> rating_links.Rated:
        """What a customer's link is for. Raises `Refused` for one that we did not sign, or that is too old."""
        return rating_links.opened(
            token,
            lambda rated: self._hooks.of(rated.workspace, "rating", rated.account).secrets,
            self._clock.now(),
        )

    async def rate(self, token: str, request: GatewayRequest) -> Receipt:
        """A rating given behind a link. Counted once, however often the link is used."""
        rated, channel = self.rated(token), channels()["rating"]
        workspace, account = self._account(channel, f"{rated.workspace}:{rated.account}")
        raw = await self._raw(request, channel, workspace, account)
        return await self.accept(
            channel, replace(raw, options={"ticket": str(rated.ticket), "answer": rated.answer})
        )

    def _account(self, channel: Channel, named: str | None) -> tuple[Workspace, Account]:
        found = self.accounts.find(channel.name, named) if named else self.accounts.only(channel.name)
        if found is None:
            raise Refused("unknown_account", f"no {channel.name} account of this name", status=404)
        return found

    async def _raw(
        self,
        request: GatewayRequest,
        channel: Channel,
        workspace: Workspace,
        account: Account,
        served: Openings = _NONE_SERVED,
    ) -> Raw:
        headers = _headers(request)
        return Raw(
            body=await _body(request, channel.limits.body),
            workspace=workspace_id(workspace.slug),
            account=account.id,
            received_at=self._clock.now(),
            content_type=headers.get("content-type", ""),
            headers=headers,
            store=account.store,
            region=account.region,
            options=options(workspace, account),
            trace=trace.current_or_new(headers.get("traceparent")),
            served=served,
        )

    async def accept(self, channel: Channel, raw: Raw) -> Receipt:
        """Takes bytes in, counted. Raises as `Intake.accept` does, and `Transient` while the door is closing."""
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
                    raise Refused("too_large", f"over {most} bytes", status=413, field="body")
                parts.append(part)
    except TimeoutError:
        raise Refused("too_slow", f"the body took over {_BODY_SECONDS} s", status=408) from None
    return b"".join(parts)


def _headers(request: GatewayRequest) -> dict[str, str]:
    """Of a name that comes twice both values: neither is a signature then."""
    found: dict[str, str] = {}
    # ASGI gives names in lower case.
    for name, value in request.scope["headers"]:
        text = value.decode("latin-1")
        known = found.get(key := name.decode("latin-1"))
        found[key] = text if known is None else f"{known}, {text}"
    return found


def _query(request: GatewayRequest) -> dict[str, str]:
    return dict(request.query_params.multi_items()) if request.scope["query_string"] else {}


def _path(request: GatewayRequest) -> str:
    """Path and query in the bytes that came, since providers sign them as they sent them."""
    path = (request.scope.get("raw_path") or request.url.path.encode()).decode("latin-1").partition("?")[0]
    query = request.scope.get("query_string", b"").decode("latin-1")
    return f"{path}?{query}" if query else path
