"""The base classes of payloads and of configuration, and how payloads become bytes."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class Payload(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Immutable, keyword-only. Defaults are not written, unknown fields are ignored: readers of version 1
    go on working when an optional field is added."""


class Node(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Configuration is strict: an unknown key is an error, since a typing mistake must not be silence."""


# "sorted" makes equal payloads equal bytes, which replay and de-duplication compare.
_encoder = msgspec.json.Encoder(order="sorted")


def encode(payload: Any) -> bytes:
    """JSON bytes of a payload: same value, same bytes."""
    return _encoder.encode(payload)


def decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """A reusable decoder; its `decode(raw)` raises `msgspec.MsgspecError` (a `ValueError`) on bad bytes."""
    return msgspec.json.Decoder(kind)
