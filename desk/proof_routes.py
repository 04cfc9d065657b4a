"""The desk's routes for proofs. They only translate; what happens is in `desk/proofs.py`. Everybody may have a code sent; to
vouch for somebody takes a lead or an admin, and to import as the truth an admin (trust model, e.3)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from desk.customer_routes import Reason, trusted
from desk.middleware import DeskRequest
from desk.proofs import CodeSent, ImportedCustomer, Proofs, Recorded

_MOST = 500
_BODY_BYTES = 512 * 1024


class CodeOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`department`: whose name the mail carries; null: the workspace's. `language`: the mail's, as a language tag; null: the
    customer's."""

    email: Annotated[str, msgspec.Meta(max_length=320)]
    department: str | None = None
    language: Annotated[str, msgspec.Meta(max_length=35)] | None = None


class CodeGiven(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    code: Annotated[str, msgspec.Meta(max_length=20)]


class Vouching(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`handle`: as KIND:VALUE."""

    handle: str
    reason: Reason


class CustomerImport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`region`: country (ISO 3166) of telephone numbers that have no country code."""

    customers: Annotated[list[ImportedCustomer], msgspec.Meta(min_length=1, max_length=_MOST)]
    region: Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$")] | None = None


@post(
    "/customers/{named:str}/codes",
    status_code=202,
    summary="Mail a code to an address; when it comes back, the address is the customer's",
)
async def send_code(
    request: DeskRequest, proofs: NamedDependency[Proofs], named: FromPath[str], data: JSONBody[CodeOrder]
) -> CodeSent:
    viewer = request.user
    return await proofs.send_code(
        viewer.workspace, viewer.config, viewer.actor, named, data.email, data.department, data.language
    )


@post("/codes/{proof:uuid}", status_code=202, summary="The customer told us the code that was mailed")
async def confirm_code(
    request: DeskRequest, proofs: NamedDependency[Proofs], proof: FromPath[UUID], data: JSONBody[CodeGiven]
) -> None:
    viewer = request.user
    await proofs.confirm(viewer.workspace, viewer.actor, proof, data.code)


@post(
    "/customers/{named:str}/handles",
    status_code=202,
    summary="Say that a handle is the customer's, on your own word",
)
async def vouch(
    request: DeskRequest, proofs: NamedDependency[Proofs], named: FromPath[str], data: JSONBody[Vouching]
) -> Recorded:
    viewer = trusted(request.user, "vouching for a customer")
    return await proofs.vouch(viewer.workspace, viewer.config, viewer.actor, named, data.handle, data.reason)


@post(
    "/customers/import",
    status_code=202,
    summary="Import a shop's own list; with an admin's key it decides who somebody is, with a lead's it claims",
    request_max_body_size=_BODY_BYTES,
)
async def import_customers(
    request: DeskRequest, proofs: NamedDependency[Proofs], data: JSONBody[CustomerImport]
) -> Recorded:
    viewer = trusted(request.user, "importing customers")
    admin = viewer.role == "admin"
    return await proofs.import_(viewer.workspace, viewer.actor, data.customers, admin, data.region)


ROUTES = (send_code, confirm_code, vouch, import_customers)
