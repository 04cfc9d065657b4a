"""Errors as RFC 9457 problem details: `application/problem+json` with a stable `code` and the field at fault."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException

from contracts.errors import Poison, Refused, Transient

log = structlog.get_logger(__name__)

_MEDIA_TYPE = "application/problem+json"
_RETRY_SECONDS = 2


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    field: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`code` is for programs, `detail` for people. `held`: tickets that stand in the way of a pull; `allowed`:
    what could have been asked for."""

    title: str
    status: int
    code: str
    detail: str | None = None
    errors: tuple[FieldError, ...] = ()
    held: tuple[int, ...] = ()
    allowed: tuple[str, ...] = ()
    type: str = "about:blank"


def refused(_: Request[Any, Any, Any], error: Refused) -> Response[Problem]:
    """Our own no."""
    fields = (FieldError(field=error.field, detail=error.detail),) if error.field else ()
    held, allowed = getattr(error, "numbers", ()), getattr(error, "allowed", ())
    return _respond(error.status, error.reason, error.detail or None, fields, held, allowed)


def transient(_: Request[Any, Any, Any], error: Transient) -> Response[Problem]:
    """The database is away or busy: nothing has changed, ask again."""
    seconds = int(error.retry_after or _RETRY_SECONDS)
    return _respond(503, "unavailable", "try again", headers={"Retry-After": str(seconds)})


def poison(_: Request[Any, Any, Any], error: Poison) -> Response[Problem]:
    """Values that the database cannot hold (a NUL in a text)."""
    return _respond(422, error.reason, "the values cannot be stored")


def http_error(_: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """What the framework refuses: unknown routes, wrong methods, bodies and parameters of the wrong shape."""
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_").replace("-", "_")
    if not isinstance(error, ValidationException):
        return _respond(error.status_code, code, error.detail, headers=error.headers)
    extra = error.extra if isinstance(error.extra, list) else []
    fields = tuple(FieldError(field=item.get("key", ""), detail=item["message"]) for item in extra)
    return _respond(422, "invalid", "the request is not valid", fields)


def fault(_: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Our mistake. The log has it; the answer says nothing about our insides."""
    log.error("request failed", error=type(error).__name__, exc_info=error)
    return _respond(500, "internal_error", None)


def _respond(
    status: int,
    code: str,
    detail: str | None,
    errors: tuple[FieldError, ...] = (),
    held: tuple[int, ...] = (),
    allowed: tuple[str, ...] = (),
    headers: dict[str, str] | None = None,
) -> Response[Problem]:
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=detail,
        errors=errors,
        held=held,
        allowed=allowed,
    )
    more = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    return Response(problem, status_code=status, media_type=_MEDIA_TYPE, headers={**(headers or {}), **more})


HANDLERS: dict[int | type[Exception], Any] = {
    Refused: refused,
    Transient: transient,
    Poison: poison,
    HTTPException: http_error,
    Exception: fault,
}
"""What every HTTP application of ours answers errors with."""
