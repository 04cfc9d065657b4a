"""What happens around every request of the desk: the key is checked, the call is counted."""

from __future__ import annotations

import time
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.enums import ScopeType
from litestar.middleware import AbstractAuthenticationMiddleware, ASGIMiddleware, AuthenticationResult
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from desk.auth import Authenticator, Viewer
from runtime import metrics

DeskRequest = Request[Viewer, str, State]
"""A request whose key was checked."""


ACTS = "acts"
"""Option of routes that do whatever they do in `desk.auth.acting`."""


class Authentication(AbstractAuthenticationMiddleware):
    """Every route needs a key, unless it is excluded by name: a new route cannot forget to ask."""

    async def authenticate_request(
        self, connection: ASGIConnection[Any, Any, Any, Any]
    ) -> AuthenticationResult:
        authenticator: Authenticator = connection.app.state.authenticator
        acts = connection.route_handler.opt.get(ACTS, False)
        viewer = await authenticator.viewer(connection.headers.get("authorization"), acts)
        return AuthenticationResult(user=viewer, auth=viewer.agent)


class CallMetrics(ASGIMiddleware):
    """Counts and times calls by route template, never by path: numbers of tickets are no labels."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        began = time.monotonic()
        route, method = scope["path_template"], str(scope.get("method", ""))

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = f"{message['status'] // 100}xx"
                metrics.api_requests.labels(route, method, status).inc()
                metrics.api_request_duration.labels(route, method, status).observe(time.monotonic() - began)
            await send(message)

        await next_app(scope, receive, counted)
