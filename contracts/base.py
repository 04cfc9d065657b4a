"""The one base class of every payload, and how payloads become bytes."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class Payload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Immutable, keyword-only. Defaults are not written, unknown fields are ignored: readers of version 1
    go on working when an optional field is added."""


# "sorted" makes equal payloads equal bytes, which replay and de-duplication compare.
_encoder = msgspec.json.Encoder(order="sorted")


def encode(payload: Any) -> bytes:
    """JSON bytes of a payload: same value, same bytes."""
    return _encoder.encode(payload)


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """A reusable decoder; its `decode(raw)` raises `msgspec.MsgspecError` (a `ValueError`) on bad bytes."""
    return msgspec.json.Decoder(kind)
