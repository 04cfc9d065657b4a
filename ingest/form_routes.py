"""The routes of contact forms: the page, what the embedded form asks for, and submissions."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import MediaType, Response, get, post
from litestar.params import FromPath

from contracts.errors import Poison, Refused, Transient
from contracts.ids import receipt
from ingest import form_page, form_texts, forms
from ingest.form_guard import LEAST_TIME
from ingest.form_page import Mistake, Shown
from ingest.gateway import Gateway, GatewayRequest
from ingest.idempotency import KEY_REUSED


class Definition(msgspec.Struct, frozen=True, kw_only=True):
    """What the embedded form shows. `submission_id`: its page token, sent back as the submission's key. Sooner than
    `least_seconds` after this nobody has written a message."""

    title: str
    language: str
    texts: dict[str, str]
    departments: list[dict[str, str]]
    categories: list[dict[str, str]]
    submission_id: str
    least_seconds: float


@get("/forms/{form:str}", media_type=MediaType.HTML, summary="The contact form as a page")
async def show_form(request: GatewayRequest, form: FromPath[str]) -> str:
    return form_page.form(_shown(request, form))


@get("/forms/{form:str}/definition", summary="What an embedded form shows")
async def define_form(request: GatewayRequest, form: FromPath[str]) -> Definition:
    shown = _shown(request, form)
    said = form_texts.texts(shown.language)
    return Definition(
        title=said["title"].format(store=form_page.store_name(shown.workspace, shown.account)),
        language=shown.language,
        texts=dict(said),
        departments=[{"id": d.id, "name": d.name} for d in shown.workspace.departments if d.public],
        categories=[
            {"path": c.path, "department": c.department} for c in form_page.categories(shown.workspace)
        ],
        submission_id=shown.token,
        least_seconds=LEAST_TIME.total_seconds(),
    )


@post(["/forms/{form:str}/submissions", "/forms/{form:str}"], status_code=202, summary="Send a form")
async def submit_form(request: GatewayRequest, form: FromPath[str]) -> Response[Any]:
    """Answers a browser that shows pages with a page, everybody else with JSON."""
    gateway = _gateway(request)
    address = request.client.host if request.client else ""
    given: dict[str, str] = {}
    try:
        raw = await gateway.submission(form, request)
        given = _given(raw.body, raw.content_type)
        taken = await gateway.submit(form, raw, address)
    except (Refused, Transient) as error:
        if not _is_browser(request):
            raise
        return _again(request, form, given, error)
    reference = receipt(taken.message_ids[0])
    if not _is_browser(request):
        return Response({"receipt": reference}, status_code=202)
    language = form_texts.language(given.get("locale", ""), request.headers.get("accept-language", ""))
    return Response(form_page.receipt(reference, language), status_code=202, media_type=MediaType.HTML)


def _again(
    request: GatewayRequest, form: str, given: dict[str, str], error: Refused | Transient
) -> Response[Any]:
    """The form with what was written, and what is wrong with it."""
    shown = _shown(request, form, given.get("locale", ""))
    said = form_texts.texts(shown.language)
    reused = False
    if isinstance(error, Transient):
        mistake, status = Mistake(None, said["failed"]), 503
    else:
        text = form_texts.explained(said, error.reason, error.field, error.detail or error.reason)
        mistake, status, reused = Mistake(error.field, text), error.status, error.reason == KEY_REUSED
    if "submission_id" in given and not reused:
        # Still the same submission. A new token would be too young for who corrects a typing mistake at once.
        shown = shown._replace(token=given["submission_id"])
    return Response(form_page.form(shown, given, mistake), status_code=status, media_type=MediaType.HTML)


def _is_browser(request: GatewayRequest) -> bool:
    return "text/html" in request.headers.get("accept", "")


HANDLERS = (show_form, define_form, submit_form)


def _gateway(request: GatewayRequest) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


def _shown(request: GatewayRequest, form: str, chosen: str = "") -> Shown:
    found = _gateway(request).accounts.find("webform", form)
    if found is None:
        raise Refused("unknown_form", "no form of this name", status=404)
    wishes = (chosen, request.query_params.get("lang", ""), request.headers.get("accept-language", ""))
    return Shown(*found, form, _gateway(request).forms.token(*found), form_texts.language(*wishes))


def _given(body: bytes, content_type: str) -> dict[str, str]:
    """What was written, to be shown again; nothing of a body that cannot be read."""
    try:
        values = forms.parse(body, content_type).values
    except (Poison, Refused):
        return {}
    return {name: value for name, value in values.items() if isinstance(value, str)}
