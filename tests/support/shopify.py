"""A shop at Shopify: its GraphQL Admin API over real HTTP, as far as orders are asked for.

Answers have the shape of the real ones (shopify.dev/docs/api/admin-graphql, and .../usage/rate-limits): 200 for what fails
inside, `errors` with codes, `extensions.cost`; 401 and 5xx as that service sends them. Like the real one its search is not
exact: it finds whatever begins so.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from runtime.settings import Shop

TOKEN = "shpat_0123456789abcdef0123456789abcdef"

_PART = re.compile(r"a(\d+): (orders|customers)\(")
_TERM = re.compile(r'(name|email|phone):"((?:[^"\\]|\\.)*)"')


def order(name: str, email: str | None = None, phone: str | None = None, **given: Any) -> dict[str, Any]:
    """An order as the API tells it. `phone` is its customer's."""
    return {
        "name": name,
        "email": email,
        "phone": None,
        "createdAt": "2026-11-18T09:00:00Z",
        "cancelledAt": None,
        "closedAt": None,
        "displayFinancialStatus": "PAID",
        "displayFulfillmentStatus": "UNFULFILLED",
        "totalPriceSet": {"shopMoney": {"amount": "59.9", "currencyCode": "EUR"}},
        "customer": {
            "defaultEmailAddress": {"emailAddress": email} if email else None,
            "defaultPhoneNumber": {"phoneNumber": phone} if phone else None,
        },
        **given,
    }


class ShopifyShop:
    """`orders`: newest first. `says`: how it answers from now on."""

    def __init__(self) -> None:
        self.orders: list[dict[str, Any]] = []
        self.says = "orders"
        """`orders`, `throttled`, `denied`, `broken`, `nonsense`, or `nothing`: it takes the call and is silent."""
        self.calls: list[dict[str, Any]] = []
        self.url = ""
        self.closing = asyncio.Event()

    def as_setting(self, workspace: str, store: str, token: str = TOKEN) -> Shop:
        return Shop(workspace=workspace, store=store, url=self.url, token=token)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
                length = re.search(r"content-length: (\d+)", head)
                body = msgspec.json.decode(await reader.readexactly(int(length[1]) if length else 0))
                self.calls.append(body)
                if self.says == "nothing":
                    await self.closing.wait()
                    return
                status, answer = self._answer(head, body)
                lines = (
                    f"HTTP/1.1 {status} Said",
                    "content-type: application/json",
                    f"content-length: {len(answer)}",
                )
                writer.write("\r\n".join((*lines, "", "")).encode() + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, head: str, body: dict[str, Any]) -> tuple[int, bytes]:
        if f"x-shopify-access-token: {TOKEN}" not in head or not re.match(
            r"post /admin/api/\d{4}-\d\d/graphql", head
        ):
            said = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return 401, msgspec.json.encode({"errors": said})
        if self.says == "broken":
            return 503, b"<html>upstream connect error</html>"
        if self.says == "nonsense":
            return 200, b'{"data": '
        cost = {
            "requestedQueryCost": 40,
            "actualQueryCost": 12,
            "throttleStatus": {"maximumAvailable": 2000.0, "currentlyAvailable": 1988, "restoreRate": 100.0},
        }
        if self.says == "throttled":
            cost["throttleStatus"] = {
                "maximumAvailable": 2000.0,
                "currentlyAvailable": 0,
                "restoreRate": 100.0,
            }
            return 200, _failed("Throttled", "THROTTLED", None, cost)
        if self.says == "denied":
            said = "Access denied for orders field. Required access: `read_orders` access scope."
            return 200, _failed(said, "ACCESS_DENIED", {"a0": None}, cost)
        data = {
            f"a{at}": self._found(kind, body["variables"][f"q{at}"])
            for at, kind in _PART.findall(body["query"])
        }
        return 200, msgspec.json.encode({"data": data, "extensions": {"cost": cost}})

    def _found(self, kind: str, search: str) -> dict[str, Any]:
        terms = [(name, re.sub(r"\\(.)", r"\1", value)) for name, value in _TERM.findall(search)]
        assert terms, f"not a search: {search}"
        found = [
            one
            for one in self.orders
            if any(_value(one, name).lower().startswith(value.lower()) for name, value in terms)
        ]
        if kind == "orders":
            return {"nodes": found}
        owners = {_value(one, "phone"): one["customer"]["defaultPhoneNumber"] for one in found}
        return {
            "nodes": [
                {
                    "defaultPhoneNumber": told,
                    "orders": {"nodes": [o for o in found if _value(o, "phone") == number]},
                }
                for number, told in owners.items()
            ][:1]
        }


def _value(one: dict[str, Any], name: str) -> str:
    if name == "phone":
        told = one["customer"]["defaultPhoneNumber"]
        return str(told["phoneNumber"]) if told else ""
    return str(one[name] or "")


def _failed(said: str, code: str, data: Any, cost: dict[str, Any]) -> bytes:
    error = {"message": said, "extensions": {"code": code, "documentation": "https://shopify.dev/api/usage"}}
    return msgspec.json.encode({"data": data, "errors": [error], "extensions": {"cost": cost}})


@asynccontextmanager
async def shopify() -> AsyncIterator[ShopifyShop]:
    """A shop on a port of its own."""
    shop = ShopifyShop()
    server = await asyncio.start_server(shop.serve, "127.0.0.1", 0)
    shop.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield shop
    finally:
        shop.closing.set()
        server.close()
