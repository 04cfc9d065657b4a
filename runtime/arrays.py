"""Lists as binary arrays of Postgres: what set-based statements take. psycopg writes any list of any depth, element by
element; ours are flat and of few types, and there are a hundred of them a batch."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from struct import Struct
from typing import Any
from uuid import UUID

from psycopg.adapt import PyFormat
from psycopg.types.array import BaseListDumper, ListBinaryDumper

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_head = Struct("!iiIii").pack
_length = Struct("!i").pack
_integer = Struct("!q").pack
_NULL = _length(-1)


def _moment(at: datetime) -> bytes:
    return _integer((at - _EPOCH) // _MICROSECOND)


# Element -> the oids of its type and of its array, and its binary form. Queries cast arrays to what they need.
_TYPES: dict[type, tuple[int, int, Callable[[Any], bytes]]] = {
    str: (25, 1009, str.encode),
    UUID: (2950, 2951, attrgetter("bytes")),
    datetime: (1184, 1185, _moment),
    int: (20, 1016, _integer),
    bytes: (17, 1001, bytes),
}


class ArrayDumper(ListBinaryDumper):
    """For flat lists of text, UUIDs, moments with a time zone, integers or bytes, with nulls among them; of the first of them
    that is not null goes the type. Other lists are psycopg's."""

    element: type | None = None

    def get_key(self, obj: list[Any], format: PyFormat) -> Any:
        of = type(next((item for item in obj if item is not None), None))
        return (self.cls, of) if of in _TYPES else super().get_key(obj, format)

    def upgrade(self, obj: list[Any], format: PyFormat) -> BaseListDumper:
        of = type(next((item for item in obj if item is not None), None))
        if of not in _TYPES:
            return super().upgrade(obj, format)
        dumper = type(self)(self.cls, self._tx)
        dumper.element, dumper.oid = of, _TYPES[of][1]
        return dumper

    def dump(self, obj: list[Any]) -> Any:
        """The dimensions (one, from 1), then each element with its length."""
        if self.element is None:
            return super().dump(obj)
        oid, _, form = _TYPES[self.element]
        parts = [_head(1, 1, oid, len(obj), 1)]
        for item in obj:
            if item is None:
                parts.append(_NULL)
            else:
                value = form(item)
                parts += (_length(len(value)), value)
        return b"".join(parts)
