"""Ids are UUIDv5 of RFC 9562, which anybody can work out again with their own library."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from contracts.ids import NAMESPACE, derive

texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(texts))
def test_an_id_is_the_uuid5_of_its_parts(parts: list[str]) -> None:
    name = "\0".join(["kind", *(part.replace("\0", "\ufffd") for part in parts)])
    assert derive("kind", *parts) == uuid.uuid5(NAMESPACE, name)


def test_nul_in_a_part_is_no_border() -> None:
    assert derive("kind", "a", "b") != derive("kind", "a\0b")
