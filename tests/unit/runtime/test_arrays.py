"""Arrays are read back by psycopg as what was written."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from psycopg import adapters
from psycopg.adapt import AdaptersMap, PyFormat, Transformer
from psycopg.pq import Format

from runtime.arrays import ArrayDumper

_moments = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))
_integers = st.integers(-(2**63), 2**63 - 1)
_one_type = (
    st.text(st.characters(exclude_categories=["Cs"])),
    st.uuids(),
    _moments,
    _integers,
    st.binary(),
    st.booleans(),
)
_lists = st.one_of([st.lists(st.none() | values, min_size=1) for values in _one_type])


class _Context:
    adapters = AdaptersMap(adapters)
    connection = None


_Context.adapters.register_dumper(list, ArrayDumper)


@given(_lists)
def test_a_list_is_read_back_as_it_was(values: list[Any]) -> None:
    assert _read_back(values) == values


@given(st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2), min_size=1))
def test_other_lists_are_left_to_psycopg(values: list[list[int]]) -> None:
    assert _read_back(values) == values


def _read_back(values: list[Any]) -> Any:
    transformer = Transformer(_Context())  # type: ignore[arg-type]
    dumper = transformer.get_dumper(values, PyFormat.AUTO)
    written = dumper.dump(values)
    assert written is not None
    # Nothing but nulls goes as text, whose type the query says.
    format = Format.BINARY if dumper.format == Format.BINARY else Format.TEXT
    return transformer.get_loader(dumper.oid or 1009, format).load(written)
