"""The link below an answer by which a customer rates it: signed with the account's secret, and good until a day."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from contracts.errors import Refused
from ingest import sealed
from ingest.signatures import configured

_PURPOSE = "rating-link"


class Rated(msgspec.Struct, frozen=True, kw_only=True):
    """What a link is for. `expires`: Unix time. `answer`: the id of the message that is rated."""

    workspace: str
    account: str
    ticket: int
    answer: str
    expires: int


def token(rated: Rated, secret: str) -> str:
    """The last part of the link `/ratings/…`. The same rating, the same link."""
    return sealed.sealed(_PURPOSE, msgspec.json.encode(rated, order="sorted"), configured([secret])[0])


def opened(given: str, secrets: Callable[[Rated], Sequence[str]], now: datetime) -> Rated:
    """What the link is for. `secrets`: those of the account it names, which are asked for before anything is believed.

    Raises `Refused`: 404 for what we never signed, 410 for what is too old.
    """
    try:
        rated = msgspec.json.decode(sealed.claims(given), type=Rated)
    except (ValueError, RecursionError):
        raise _unknown() from None
    if not sealed.genuine(_PURPOSE, given, secrets(rated)):
        raise _unknown()
    if rated.expires < now.timestamp():
        raise Refused("expired", "this link is too old", status=410)
    return rated


def _unknown() -> Refused:
    return Refused("unknown_link", "there is no such link", status=404)
