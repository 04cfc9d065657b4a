"""Working hours: DST, nights, holidays, and every case of the corpus."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from contracts.calendars import NeverOpen, WorkingHours
from contracts.workspace import Calendar
from router.deadlines import before, due

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "sla" / "cases.jsonl"
CASES = [json.loads(line) for line in CORPUS.read_text("utf-8").splitlines()] if CORPUS.exists() else []

Spans = list[tuple[str, str]]


def hours(zone: str = "UTC", **days: Spans) -> WorkingHours:
    return WorkingHours(
        Calendar(id="test", zone=zone, hours={day: tuple(spans) for day, spans in days.items()})
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _without(spans: Spans, breaks: Spans) -> Spans:
    """The corpus takes breaks out of a date's hours; a calendar writes what is left."""
    for start, end in breaks:
        spans = [
            part
            for a, b in spans
            for part in (((a, min(b, start)), (max(a, end), b)) if start < b and end > a else ((a, b),))
            if part[0] < part[1]
        ]
    return spans


def _calendar(case: dict[str, Any]) -> WorkingHours:
    overrides = {day: [tuple(span) for span in spans] for day, spans in case["overrides"].items()}
    for day, breaks in case["breaks"].items():
        weekday = datetime.fromisoformat(day).strftime("%a").lower()
        usual = overrides.get(day, [tuple(span) for span in case["hours"].get(weekday, [])])
        overrides[day] = _without(usual, breaks)
    return WorkingHours(
        Calendar(
            id=case["id"],
            zone=case["tz"],
            hours={day: tuple(map(tuple, spans)) for day, spans in case["hours"].items()},
            holidays=tuple(case["holidays"]),
            overrides={day: tuple(spans) for day, spans in overrides.items()},
        )
    )


def _answer(case: dict[str, Any]) -> Any:
    calendar, start = _calendar(case), at(case["start"])
    match case["op"]:
        case "add":
            return due(start, case["seconds"], calendar).due_at
        case "sub":
            return before(start, case["seconds"], calendar)
        case "between":
            return calendar.between(start, at(case["end"])).total_seconds()
        case "is_open":
            return calendar.is_open(start)
        case "next_open":
            return calendar.next_open(start)
    raise AssertionError(case["op"])


@pytest.mark.skipif(not CASES, reason="the corpus is not beside this repository")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_corpus(case: dict[str, Any]) -> None:
    if case["expect"] == "error":
        with pytest.raises(ValueError):
            _answer(case)
        return
    expected = at(case["expect"]) if isinstance(case["expect"], str) else case["expect"]
    assert _answer(case) == expected


def test_an_interval_is_closed_at_its_start_and_open_at_its_end() -> None:
    calendar = hours(mon=[("09:00", "17:00")])
    assert calendar.is_open(at("2026-11-23T09:00:00+00:00"))
    assert not calendar.is_open(at("2026-11-23T17:00:00+00:00"))


def test_a_night_shift_reaches_into_the_next_day() -> None:
    calendar = hours(mon=[("22:00", "06:00")])
    assert calendar.is_open(at("2026-11-24T05:59:59+00:00"))
    assert not calendar.is_open(at("2026-11-24T06:00:00+00:00"))
    assert calendar.between(at("2026-11-23T00:00:00+00:00"), at("2026-11-25T00:00:00+00:00")) == timedelta(
        hours=8
    )


def test_a_night_shift_that_runs_into_the_next_day_s_hours_counts_once() -> None:
    calendar = hours(mon=[("22:00", "10:00")], tue=[("08:00", "12:00")])
    whole = calendar.between(at("2026-11-23T00:00:00+00:00"), at("2026-11-25T00:00:00+00:00"))
    assert whole == timedelta(hours=14)
    assert before(at("2026-11-25T00:00:00+00:00"), 14 * 3600, calendar) == at("2026-11-23T22:00:00+00:00")


def test_all_day_every_day_is_the_wall_clock() -> None:
    calendar = hours("Europe/Warsaw", **{day: [("00:00", "24:00")] for day in ("sat", "sun")})
    assert calendar.between(at("2026-10-24T00:00:00+02:00"), at("2026-10-26T00:00:00+01:00")) == timedelta(
        hours=49
    )


def test_a_time_that_the_clock_skips_is_read_an_hour_later() -> None:
    calendar = hours("Europe/Warsaw", sun=[("02:30", "05:00")])
    assert calendar.next_open(at("2026-03-29T00:00:00+01:00")) == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_never_open() -> None:
    with pytest.raises(NeverOpen):
        hours().next_open(at("2026-11-23T09:00:00+00:00"))
    assert not hours().is_open(at("2026-11-23T09:00:00+00:00"))
