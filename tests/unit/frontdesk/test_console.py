"""What commands print for people."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from frontdesk import console


def test_a_table_never_shortens_what_people_copy(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [("t" * 200, 1, None), ("短い [b]", 22, datetime(2026, 1, 9, 15, 0, 0, 7, UTC))]
    console.write_table(("topic", "count", "at"), rows)
    heading, first, second = capsys.readouterr().out.splitlines()
    assert first == "t" * 200 + "  1"
    assert heading.index("count") == first.index("1")
    assert second.startswith("短い [b] ")
    assert second.endswith("22     2026-01-09 15:00:00+00:00")


def test_an_empty_table_is_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    console.write_table(("topic", "count"), [])
    assert capsys.readouterr().out == "topic  count\n"
