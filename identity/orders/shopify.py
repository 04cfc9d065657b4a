"""Shopify's orders, by its GraphQL Admin API (shopify.dev/docs/api/admin-graphql). Needs the scopes `read_orders` and
`read_customers`; without `read_all_orders` Shopify shows those of the last 60 days only."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpcore
import msgspec

from contracts.ids import workspace_id
from contracts.resolved import Order
from identity.canonical import email, phone
from identity.orders.numbers import spelled
from identity.orders.source import MOST_ORDERS, Answers, Asked, ShopOrder, StoreKey, Unavailable
from runtime.settings import Shop

_TIMEOUTS = {"connect": 3.0, "read": 10.0, "write": 5.0, "pool": 10.0}
_CONNECTIONS = 8

_ORDER = """fragment O on Order {
  name email phone createdAt cancelledAt closedAt displayFinancialStatus displayFulfillmentStatus
  totalPriceSet { shopMoney { amount currencyCode } }
  customer { defaultEmailAddress { emailAddress } defaultPhoneNumber { phoneNumber } }
}"""
_NEWEST = f"first: {MOST_ORDERS}, sortKey: CREATED_AT, reverse: true"


class _Answer(msgspec.Struct):
    """GraphQL answers 200 to what fails, and says so in `errors`; `data` may hold the rest."""

    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | str | None = None
    extensions: dict[str, Any] = {}


class Shopify:
    """All stores whose settings name a shop there. A store without one is `Unavailable`."""

    def __init__(self, shops: Iterable[Shop]) -> None:
        self._shops = {(workspace_id(shop.workspace), shop.store): shop for shop in shops}
        self._pool = httpcore.AsyncConnectionPool(max_connections=_CONNECTIONS)

    async def find(self, store: StoreKey, asked: Sequence[Asked]) -> Answers:
        """One call, with a part of the query for each that is asked."""
        shop = self._shops.get(store)
        if shop is None:
            raise Unavailable("not_configured")
        query, variables = _query(asked)
        answer = await self._post(shop, {"query": query, "variables": variables})
        found = answer.data or {}
        _refuse(answer)
        return {one: list(_orders(one, found.get(f"a{at}"), store[1])) for at, one in enumerate(asked)}

    async def close(self) -> None:
        await self._pool.aclose()

    async def _post(self, shop: Shop, body: Mapping[str, Any]) -> _Answer:
        url = f"{shop.url.rstrip('/')}/admin/api/{shop.version}/graphql.json"
        headers = {
            "content-type": "application/json",
            "accept": "application/json",
            "user-agent": "frontdesk",
        }
        try:
            reply = await self._pool.request(
                "POST",
                url,
                headers=[*headers.items(), ("x-shopify-access-token", shop.token)],
                content=msgspec.json.encode(body),
                extensions={"timeout": _TIMEOUTS},
            )
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise Unavailable(type(error).__name__) from None
        if reply.status != 200:
            raise Unavailable(f"http_{reply.status}", _retry_after(reply))
        try:
            return msgspec.json.decode(reply.content, type=_Answer)
        except msgspec.MsgspecError:
            raise Unavailable("not_understood") from None


def _query(asked: Sequence[Asked]) -> tuple[str, dict[str, str]]:
    """Values are variables, and quoted inside Shopify's own search language."""
    names = ", ".join(f"$q{at}: String!" for at in range(len(asked)))
    parts = "\n".join(_part(at, one) for at, one in enumerate(asked))
    variables = {f"q{at}": _search(one) for at, one in enumerate(asked)}
    return f"query Orders({names}) {{\n{parts}\n}}\n{_ORDER}", variables


def _part(at: int, one: Asked) -> str:
    if one.kind == "phone":
        # Orders cannot be searched by telephone number; customers can.
        told = f"defaultPhoneNumber {{ phoneNumber }} orders({_NEWEST}) {{ nodes {{ ...O }} }}"
        return f"a{at}: customers(first: 1, query: $q{at}) {{ nodes {{ {told} }} }}"
    return f"a{at}: orders({_NEWEST}, query: $q{at}) {{ nodes {{ ...O }} }}"


def _search(one: Asked) -> str:
    quoted = one.value.replace("\\", "\\\\").replace('"', '\\"')
    if one.kind == "number":
        return f'name:"{quoted}" OR name:"#{quoted}"'
    return f'{one.kind}:"{quoted}"'


def _refuse(answer: _Answer) -> None:
    """Raises `Unavailable` for what came with errors: half an answer must not look like "no orders"."""
    if not answer.errors:
        return
    first = answer.errors[0] if isinstance(answer.errors, list) else {}
    code = str(first.get("extensions", {}).get("code", "errors")).lower()
    if code != "throttled":
        raise Unavailable(
            code if code in ("access_denied", "shop_inactive", "internal_server_error") else "errors"
        )
    cost = answer.extensions.get("cost", {})
    bucket = cost.get("throttleStatus", {})
    lacking = cost.get("requestedQueryCost", 0) - bucket.get("currentlyAvailable", 0)
    raise Unavailable("throttled", max(1.0, lacking / (bucket.get("restoreRate") or 50)))


def _orders(one: Asked, found: Any, store: str) -> Iterator[ShopOrder]:
    """Searches find more than what is asked: only what is equal counts."""
    nodes = (found or {}).get("nodes", [])
    if one.kind == "phone":
        owners = [node for node in nodes if _number(node.get("defaultPhoneNumber")) == one.value]
        orders = (_order(order, store) for owner in owners for order in owner["orders"]["nodes"])
        yield from (order._replace(phone=one.value) for order in orders)
        return
    for node in nodes:
        order = _order(node, store)
        if one.value == (order.order.number if one.kind == "number" else order.email):
            yield order


def _order(node: Mapping[str, Any], store: str) -> ShopOrder:
    customer = node.get("customer") or {}
    money = (node.get("totalPriceSet") or {}).get("shopMoney") or {}
    address = node.get("email") or (customer.get("defaultEmailAddress") or {}).get("emailAddress")
    order = Order(
        number=spelled(node["name"]),
        store=store,
        status="cancelled" if node.get("cancelledAt") else "closed" if node.get("closedAt") else "open",
        payment=_lower(node.get("displayFinancialStatus")),
        fulfilment=_lower(node.get("displayFulfillmentStatus")),
        total=money.get("amount"),
        currency=money.get("currencyCode"),
        placed_at=datetime.fromisoformat(node["createdAt"]),
    )
    number = _number({"phoneNumber": node.get("phone")}) or _number(customer.get("defaultPhoneNumber"))
    return ShopOrder(order, email(address) if address else None, number)


def _number(told: Mapping[str, Any] | None) -> str | None:
    given = (told or {}).get("phoneNumber")
    return phone(given, None) if given else None


def _lower(word: str | None) -> str | None:
    return word.lower() if word else None


def _retry_after(reply: httpcore.Response) -> float | None:
    given = next((value for name, value in reply.headers if name.lower() == b"retry-after"), b"")
    try:
        return float(given)
    except ValueError:
        return None
