"""What Meta's products share: the signature, the registration of an address, and the envelope of a call.

One call holds entries of several accounts, an entry several events, and one address may be registered for several products.
So a call is taken apart here, and each part goes to the channel it is for, whichever address it came to
(https://developers.facebook.com/docs/graph-api/webhooks).
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, Protocol, runtime_checkable

from contracts import ids
from contracts.errors import Poison, Refused
from contracts.inbound import InboundMessage, Sender
from ingest import signatures
from ingest.channel import Normalised, Raw, Reply, Request, Served, channels
from ingest.events import Call, canonical, composed, decoded, fields, ident, items, mapping

DIRECT = ("messaging", "standby")
"""The lists of an entry that hold events themselves; all others stand in `changes`, under their field's name."""


class Part(NamedTuple):
    """One event, or in WhatsApp one group of events. `entry` is the page or account that it is about; `call` is the part
    as a call of its own."""

    entry: str
    field: str
    value: Any
    call: dict[str, Any]


@runtime_checkable
class Product(Protocol):
    """A channel that is called by Meta."""

    name: str
    object: str
    """What `object` says at the top of its calls."""
    fields: frozenset[str]
    """The fields it reads."""
    quiet: frozenset[str]
    """Fields that are about our account and not about a person: answered, not taken in."""

    def read(self, call: Call, part: Part) -> None:
        """Takes the part's events, each by `call.take`."""


class Webhook:
    """What every product has alike."""

    name: str
    providers = ("meta",)

    def verify(self, request: Request, secrets: Sequence[str]) -> None:
        given = request.headers.get("x-hub-signature-256", "")
        signatures.body_hmac(given, request.body, secrets, "hex", "sha256=")

    def handshake(self, query: Mapping[str, str], secrets: Sequence[str], token: str) -> Reply:
        """The challenge back, when the call shows the token that was agreed on. Not HTML: it is anybody's text."""
        shown = query.get("hub.verify_token", "").encode("utf-8", "replace")
        if not token or not hmac.compare_digest(shown, token.encode()):
            raise Refused("bad_token", "wrong or missing verify token", status=403)
        if query.get("hub.mode") != "subscribe":
            raise Refused("unknown_mode", "no subscription", status=403)
        return Reply(query.get("hub.challenge", "").encode("utf-8", "replace"))

    def normalise(self, raw: Raw) -> Normalised:
        return normalise(raw, self)


def normalise(raw: Raw, called: Webhook) -> Normalised:
    """The events of a call, whatever products they are of. `called`: whose address it came to. Raises `Poison` for what is
    no call of Meta's."""
    body = decoded(raw.body)
    products = [product for product in _products() if product.object == body.get("object")]
    if not products or not isinstance(body.get("entry"), list):
        raise Poison("unknown_shape", "no object or no entries of a product that is installed")
    call = Call(raw)
    for entry in body["entry"]:
        try:
            parts = list(_parts(body["object"], entry))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            call.set_aside(_alone(body["object"], entry), "unknown_shape", type(error).__name__)
            continue
        for part in parts:
            _hand_over(call, part, products, called)
    return call.result()


@cache
def _products() -> tuple[Product, ...]:
    # Kept: to ask whether a channel is one takes longer than to read the call.
    return tuple(channel for channel in channels().values() if isinstance(channel, Product))


def _parts(object: str, entry: Any) -> Iterator[Part]:
    """Every event of an entry under the name of its field."""
    account = ident(entry["id"])
    for field in DIRECT:
        for event in items(entry.get(field)):
            yield Part(account, field, event, _alone(object, {"id": account, field: [event]}))
    for change in items(entry.get("changes")):
        alone = _alone(object, {"id": account, "changes": [change]})
        yield Part(account, str(mapping(change)["field"]), change.get("value"), alone)


def _alone(object: str, entry: Any) -> dict[str, Any]:
    return {"object": object, "entry": [entry]}


def _hand_over(call: Call, part: Part, products: Sequence[Product], called: Webhook) -> None:
    for product in products:
        if part.field in product.fields:
            product.read(call, part)
            return
    if any(part.field in product.quiet for product in products):
        return
    if any(product.name == called.name for product in products):
        call.take(part.call, part.call, lambda event: [_unsupported(call, part, called, event)])
    else:
        call.set_aside(part.call, "unknown_field", part.field[:100])


def _unsupported(call: Call, part: Part, called: Webhook, event: dict[str, Any]) -> InboundMessage:
    """What Meta has added since: kept with the account that was called, for whoever comes to know it."""
    account = Served(call.raw.account, call.raw.store)
    identity = composed(part.entry, part.field, ids.sha256_hex(canonical(event))[:16])
    return call.event(
        called.name,
        account,
        identity,
        event,
        kind="unsupported",
        sender=Sender(),
        fields=fields({"field": part.field}),
    )
