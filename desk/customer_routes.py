"""The desk's routes about customers. They only translate; what happens is in `desk/customers.py`. Everybody may look; to
change who is who takes a lead or an admin (trust model, I12)."""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream

from contracts.errors import Refused
from desk.auth import Viewer
from desk.customers import CustomerDetail, Customers, MergeResult, Preview, SplitResult
from desk.erasure import Erased
from desk.middleware import DeskRequest
from desk.suggestions import SuggestedCustomer

_MAX_REASON = 500

Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=_MAX_REASON)]


class MergeOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`into`: the customer that remains, by id or by handle."""

    into: str
    reason: Reason


class UnmergeOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    reason: Reason


class ErasureOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`reason`: stays in the history, and must not name the person."""

    reason: Reason


class Rejection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`other`: the customer that is somebody else, by id or by handle."""

    other: str
    reason: Reason


class SplitOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`handle`: as KIND:VALUE, one that the customer has verified."""

    handle: str
    reason: Reason


@get("/customers/{named:str}", summary="One customer by id or KIND:VALUE, with all that are merged into it")
async def read_customer(
    request: DeskRequest, customers: NamedDependency[Customers], named: FromPath[str]
) -> CustomerDetail:
    viewer = request.user
    return await customers.detail(viewer.workspace, named, viewer.visible)


@get("/customers/{named:str}/merge", summary="What merging the customer into another would do")
async def preview_merge(
    request: DeskRequest,
    customers: NamedDependency[Customers],
    named: FromPath[str],
    into: Annotated[str, QueryParameter(description="The customer that would remain, by id or KIND:VALUE.")],
) -> Preview:
    return await customers.preview(trusted(request.user).workspace, named, into)


@post(
    "/customers/{named:str}/merge",
    status_code=200,
    summary="Merge the customer into another; 202 when a second person must ask for the same",
)
async def merge_customer(
    request: DeskRequest,
    customers: NamedDependency[Customers],
    named: FromPath[str],
    data: JSONBody[MergeOrder],
) -> Response[MergeResult]:
    viewer = trusted(request.user)
    result = await customers.merge(viewer.workspace, viewer.actor, named, data.into, data.reason)
    return Response(result, status_code=200 if result.merged else 202)


@post(
    "/customers/{named:str}/unmerge", status_code=200, summary="Take the customer's merge into another back"
)
async def unmerge_customer(
    request: DeskRequest,
    customers: NamedDependency[Customers],
    named: FromPath[str],
    data: JSONBody[UnmergeOrder],
) -> CustomerDetail:
    viewer = trusted(request.user)
    return await customers.unmerge(viewer.workspace, viewer.actor, named, data.reason)


@post("/customers/{named:str}/split", status_code=200, summary="Give one verified handle to a new customer")
async def split_customer(
    request: DeskRequest,
    customers: NamedDependency[Customers],
    named: FromPath[str],
    data: JSONBody[SplitOrder],
) -> SplitResult:
    viewer = trusted(request.user)
    return await customers.split(viewer.workspace, viewer.actor, named, data.handle, data.reason)


@get(
    "/customers/{named:str}/suggestions", summary="Who may be the same customer, the likeliest first, and why"
)
async def list_suggestions(
    request: DeskRequest, customers: NamedDependency[Customers], named: FromPath[str]
) -> list[SuggestedCustomer]:
    return await customers.suggestions.of(trusted(request.user).workspace, named)


@post("/customers/{named:str}/reject", status_code=204, summary="Say that two customers are not one")
async def reject_suggestion(
    request: DeskRequest,
    customers: NamedDependency[Customers],
    named: FromPath[str],
    data: JSONBody[Rejection],
) -> None:
    viewer = trusted(request.user)
    await customers.suggestions.reject(viewer.workspace, viewer.actor, named, data.other, data.reason)


@get(
    "/customers/{named:str}/export",
    media_type="application/zip",
    summary="Everything that is stored about the customer: a zip of customer.json and files/",
)
async def export_customer(
    request: DeskRequest, customers: NamedDependency[Customers], named: FromPath[str]
) -> Stream:
    viewer = trusted(request.user, "exporting customers")
    export = await customers.exporter.export(viewer.workspace, viewer.actor, named)
    headers = {"Content-Disposition": f'attachment; filename="customer-{export.customer}.zip"'}
    return Stream(customers.exporter.zipped(export), headers=headers, media_type="application/zip")


@post(
    "/customers/{named:str}/erase",
    status_code=200,
    summary="Erase the customer and everybody merged into it. Cannot be taken back",
)
async def erase_customer(
    request: DeskRequest,
    customers: NamedDependency[Customers],
    named: FromPath[str],
    data: JSONBody[ErasureOrder],
) -> Erased:
    viewer = trusted(request.user, "erasing customers")
    return await customers.erasure.erase(viewer.workspace, viewer.actor, named, data.reason)


def trusted(viewer: Viewer, what: str = "merging customers") -> Viewer:
    """The viewer, who is a lead or an admin. Raises `Refused` with 403."""
    if viewer.role == "agent":
        raise Refused("forbidden", f"{what} takes a lead or an admin", status=403)
    return viewer


ROUTES = (
    read_customer,
    preview_merge,
    merge_customer,
    unmerge_customer,
    split_customer,
    list_suggestions,
    reject_suggestion,
    export_customer,
    erase_customer,
)
