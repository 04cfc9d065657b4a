"""Trace contexts are continued, never trusted."""

from __future__ import annotations

import pytest

from runtime import trace

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_trace_is_continued_by_a_span_of_ours() -> None:
    continued = trace.current_or_new(GIVEN)
    assert trace.trace_id(continued) == trace.trace_id(GIVEN) == "0af7651916cd43dd8448eb211c80319c"
    assert continued != GIVEN


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "nonsense",
        GIVEN.upper(),
        GIVEN + "-more",
        GIVEN + "\n",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
    ],
)
def test_what_is_no_trace_begins_one(header: str | None) -> None:
    begun = trace.current_or_new(header)
    assert trace.trace_id(begun) not in (None, "0af7651916cd43dd8448eb211c80319c")


def test_a_record_carries_it() -> None:
    assert trace.of_headers((("other", b"x"), *trace.headers(GIVEN))) == GIVEN
    assert trace.of_headers(trace.headers(None)) is None


def test_every_new_trace_is_another() -> None:
    assert trace.new() != trace.new()
    assert trace.trace_id(trace.new()) is not None
