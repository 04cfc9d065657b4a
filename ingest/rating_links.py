"""The link below an answer by which a customer rates it: signed with the account's secret, and good until a day."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from contracts.errors import Refused
from ingest.signatures import configured

_LONGEST = 2000


class Rated(msgspec.Struct, frozen=True, kw_only=True):
    """What a link is for. `expires`: Unix time. `answer`: the id of the message that is rated."""

    workspace: str
    account: str
    ticket: int
    answer: str
    expires: int


def token(rated: Rated, secret: str) -> str:
    """The last part of the link `/ratings/…`. The same rating, the same link."""
    claims = _encoded(msgspec.json.encode(rated, order="sorted"))
    return f"{claims}.{_signature(claims, configured([secret])[0])}"


def opened(given: str, secrets: Callable[[Rated], Sequence[str]], now: datetime) -> Rated:
    """What the link is for. `secrets`: those of the account it names, which are asked for before anything is believed.

    Raises `Refused`: 404 for what we never signed, 410 for what is too old.
    """
    claims, _, signature = given[:_LONGEST].partition(".")
    try:
        rated = msgspec.json.decode(_decoded(claims), type=Rated)
    except (ValueError, binascii.Error, RecursionError):
        raise _unknown() from None
    genuine = [
        hmac.compare_digest(signature.encode("utf-8", "replace"), _signature(claims, secret).encode())
        for secret in secrets(rated)
        if secret
    ]
    if not any(genuine):
        raise _unknown()
    if rated.expires < now.timestamp():
        raise Refused("expired", "this link is too old", status=410)
    return rated


def _unknown() -> Refused:
    return Refused("unknown_link", "there is no such link", status=404)


def _signature(claims: str, secret: str) -> str:
    # The secret signs posts as well: the first word keeps the two apart.
    return _encoded(hmac.digest(secret.encode(), f"rating-link.{claims}".encode(), "sha256"))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.encode("ascii", "replace") + b"=" * (-len(text) % 4))
