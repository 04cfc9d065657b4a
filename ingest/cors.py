"""Cross-origin requests of forms (Fetch standard, CORS): allowed for the origins that the form's account lists."""

from __future__ import annotations

import re

from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from ingest.accounts import Accounts

_FORM = re.compile(r"^/forms/([^/]+)(?:/(?:definition|submissions))?/?$")

_PREFLIGHT = [
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"content-type, idempotency-key, traceparent"),
    (b"access-control-max-age", b"600"),
    (b"content-length", b"0"),
]


class Cors(ASGIMiddleware):
    """Answers preflights, and marks every answer to an allowed origin, errors too."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        form = _FORM.match(scope["path"])
        if form is None:
            await next_app(scope, receive, send)
            return
        allowed = self._allowed(form[1], dict(scope["headers"]).get(b"origin", b""))
        if scope.get("method") == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": [*allowed, *_PREFLIGHT]})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *allowed]
            await send(message)

        await next_app(scope, receive, marked)

    def _allowed(self, form: str, origin: bytes) -> list[tuple[bytes, bytes]]:
        found = self._accounts.find("webform", form)
        if not found or origin.decode("latin-1") not in found[1].origins:
            return []
        return [(b"access-control-allow-origin", origin), (b"vary", b"Origin")]
