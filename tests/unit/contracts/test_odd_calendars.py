"""Odd calendars, worked out by hand: what clock changes, nights, breaks and holidays do to a deadline. In the form of the
questions that `frontdesk deadline --cases` answers, and through it."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.calendars import WorkingHours
from contracts.workspace import Calendar
from router.deadlines import due
from tests.support.command import frontdesk

_WEEK = ("mon", "tue", "wed", "thu", "fri")
_ALL = (*_WEEK, "sat", "sun")


def case(name: str, op: str, tz: str, start: str, expect: Any, **given: Any) -> dict[str, Any]:
    hours = given.pop("hours", {day: [["09:00", "17:00"]] for day in _WEEK})
    return {"id": name, "op": op, "tz": tz, "hours": hours, "start": start, "expect": expect, **given}


def daily(*intervals: list[str], days: tuple[str, ...] = _ALL) -> dict[str, list[list[str]]]:
    return {day: list(intervals) for day in days}


CASES = [
    # Overnight over a clock change: 22:00-06:00 has seven hours in spring, nine in autumn.
    case("night-spring", "between", "Europe/Warsaw", "2026-03-28T12:00+01:00", 7 * 3600,
         hours=daily(["22:00", "06:00"], days=("sat",)), end="2026-03-29T12:00+02:00"),
    case("night-autumn", "add", "Europe/Warsaw", "2026-10-24T22:00+02:00", "2026-10-25T05:00+01:00",
         hours=daily(["22:00", "06:00"], days=("sat",)), seconds=8 * 3600),
    # Half an hour is skipped, or comes twice.
    case("half-gap", "add", "Australia/Lord_Howe", "2026-10-04T01:30+10:30", "2026-10-04T03:00+11:00",
         hours=daily(["01:00", "04:00"]), seconds=3600),
    case("half-fold", "between", "Australia/Lord_Howe", "2026-04-05T00:00+11:00", 2.5 * 3600,
         hours=daily(["01:00", "03:00"], days=("sun",)), end="2026-04-06T00:00+10:30"),
    case("in-the-gap", "next_open", "Europe/Warsaw", "2026-03-29T00:00+01:00", "2026-03-29T03:15+02:00",
         hours=daily(["02:15", "04:00"])),
    case("first-of-two", "next_open", "America/New_York", "2026-11-01T00:00-04:00", "2026-11-01T01:30-04:00",
         hours=daily(["01:30", "03:00"])),
    # Midnight itself is skipped, or comes twice.
    case("no-midnight", "between", "America/Sao_Paulo", "2018-11-03T00:00-03:00", 23 * 3600,
         hours=daily(["00:00", "24:00"], days=("sun",)), end="2018-11-06T00:00-02:00"),
    case("two-midnights", "between", "America/Havana", "2026-10-31T00:00-04:00", 25 * 3600,
         hours=daily(["00:00", "24:00"], days=("sun",)), end="2026-11-03T00:00-05:00"),
    # Apia had no 30 December 2011.
    case("no-friday", "add", "Pacific/Apia", "2011-12-29T16:00-10:00", "2012-01-02T10:00+14:00", seconds=2 * 3600),
    case("night-into-no-day", "between", "Pacific/Apia", "2011-12-29T12:00-10:00", 8 * 3600,
         hours=daily(["22:00", "06:00"], days=("thu",)), end="2012-01-02T00:00+14:00"),
    case("quarter-zone", "add", "Asia/Kathmandu", "2026-11-20T16:30+05:45", "2026-11-23T09:30+05:45", seconds=3600),
    # 29 February, and the year that has none.
    case("leap-day", "add", "UTC", "2028-02-28T16:00+00:00", "2028-02-29T10:00+00:00", seconds=2 * 3600),
    case("no-leap-day", "add", "UTC", "2027-02-26T16:00+00:00", "2027-03-01T10:00+00:00", seconds=2 * 3600),
    case("leap-day-only", "next_open", "UTC", "2027-03-01T00:00+00:00", "2028-02-29T10:00+00:00",
         hours={}, overrides={"2028-02-29": [["10:00", "11:00"]]}),
    # Holidays beside a weekend, a holiday with hours of its own, a night that begins before one.
    case("long-weekend", "add", "Europe/Warsaw", "2026-12-23T16:30+01:00", "2026-12-28T09:30+01:00",
         seconds=3600, holidays=["2026-12-24", "2026-12-25"]),
    case("open-holiday", "add", "Europe/Warsaw", "2026-12-23T16:30+01:00", "2026-12-24T10:30+01:00",
         seconds=3600, holidays=["2026-12-24"], overrides={"2026-12-24": [["10:00", "12:00"]]}),
    case("night-before-holiday", "between", "UTC", "2026-11-10T00:00+00:00", 8 * 3600,
         hours=daily(["22:00", "06:00"]), holidays=["2026-11-09", "2026-11-11", "2026-11-12"],
         end="2026-11-12T23:00+00:00"),
    case("empty-day", "next_open", "UTC", "2026-11-23T10:00+00:00", "2026-11-24T09:00+00:00",
         hours=daily(["09:00", "17:00"], days=_WEEK) | {"mon": []}),
    # Breaks: at the edge, over the whole of it, in the night part, and twice.
    case("break-at-opening", "next_open", "UTC", "2026-11-23T09:00+00:00", "2026-11-23T10:00+00:00",
         breaks={"2026-11-23": [["08:00", "10:00"]]}),
    case("break-of-all", "add", "UTC", "2026-11-23T09:00+00:00", "2026-11-24T10:00+00:00",
         seconds=3600, breaks={"2026-11-23": [["09:00", "17:00"]]}),
    case("two-breaks", "sub", "UTC", "2026-11-23T16:00+00:00", "2026-11-23T10:00+00:00",
         seconds=4 * 3600, breaks={"2026-11-23": [["12:00", "13:00"], ["14:00", "15:00"]]}),
    # Edges: closing time, nothing to do, the end of the day, an interval after another, seconds and parts of them.
    case("starts-on-closing", "add", "UTC", "2026-11-20T17:00+00:00", "2026-11-23T09:00:01+00:00", seconds=1),
    case("ends-on-closing", "add", "UTC", "2026-11-20T16:00+00:00", "2026-11-20T17:00+00:00", seconds=3600),
    case("closing-is-closed", "is_open", "UTC", "2026-11-20T17:00+00:00", False),
    case("opening-is-open", "is_open", "UTC", "2026-11-20T09:00+00:00", True),
    case("nothing-to-do", "add", "UTC", "2026-11-21T12:00+00:00", "2026-11-21T12:00+00:00", seconds=0),
    case("until-midnight", "add", "UTC", "2026-11-23T23:30+00:00", "2026-11-24T00:30+00:00",
         hours=daily(["00:00", "24:00"]), seconds=3600),
    case("touching", "between", "UTC", "2026-11-23T00:00+00:00", 8 * 3600,
         hours=daily(["09:00", "12:00"], ["12:00", "15:00"], ["14:00", "17:00"]), end="2026-11-24T00:00+00:00"),
    case("half-seconds", "add", "UTC", "2026-11-23T09:00:00.25+00:00", "2026-11-23T09:00:00.75+00:00", seconds=0.5),
    case("years", "add", "UTC", "2026-01-05T09:00+00:00", "2046-02-28T17:00+00:00",
         hours=daily(["09:00", "17:00"], days=("wed",)), seconds=8 * 3600 * 1052),
    case("never", "add", "UTC", "2026-01-05T09:00+00:00", "error", hours={}, seconds=1),
]  # fmt: skip


def value(result: Any) -> Any:
    return datetime.fromisoformat(result) if isinstance(result, str) and result != "error" else result


async def test_odd_calendars_through_the_command(tmp_path: Path) -> None:
    questions = tmp_path / "odd.jsonl"
    questions.write_text("".join(json.dumps(case) + "\n" for case in CASES))
    ended = await frontdesk("deadline", "--cases", str(questions))
    found = {row["id"]: value(row["result"]) for row in ended.rows}
    assert found == {case["id"]: value(case["expect"]) for case in CASES}, ended.errors


@pytest.mark.parametrize(
    ("country", "region", "expected"),
    [
        ("PL", None, "2026-11-12T09:00+01:00"),
        ("DE", None, "2026-11-11T09:00+01:00"),
        ("DE", "BY", "2026-11-11T09:00+01:00"),
    ],
)
def test_holidays_of_a_country_are_closed(country: str, region: str | None, expected: str) -> None:
    """R-51c: Poland's Independence Day; three hours from Tuesday 15:00."""
    hours = dict.fromkeys(_WEEK, (("08:00", "17:00"),))
    calendar = Calendar(id="std", zone="Europe/Warsaw", hours=hours, country=country, region=region)
    start = datetime.fromisoformat("2026-11-10T15:00+01:00")
    assert due(start, 3 * 3600, WorkingHours(calendar)).due_at == datetime.fromisoformat(expected)


def test_a_region_has_holidays_of_its_own() -> None:
    """Epiphany is one in Bavaria, not in Berlin."""
    hours = dict.fromkeys(_WEEK, (("08:00", "17:00"),))
    start = datetime.fromisoformat("2026-01-06T10:00+01:00")
    for region, is_open in (("BY", False), ("BE", True)):
        calendar = Calendar(id="std", zone="Europe/Berlin", hours=hours, country="DE", region=region)
        assert WorkingHours(calendar).is_open(start) == is_open
