"""Working hours: clock changes, nights, breaks. The corpus is asked in tests/corpus/test_sla.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from contracts.calendars import WEEKDAYS, NeverOpen, WorkingHours
from contracts.workspace import Calendar
from router.deadlines import before, due

Spans = list[tuple[str, str]]


def hours(zone: str = "UTC", **days: Spans) -> WorkingHours:
    return WorkingHours(
        Calendar(id="test", zone=zone, hours={day: tuple(spans) for day, spans in days.items()})
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


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


def test_a_break_is_taken_out_of_the_hours_of_its_date_alone() -> None:
    calendar = WorkingHours(
        Calendar(
            id="test",
            zone="UTC",
            hours={"mon": (("08:00", "12:00"), ("13:00", "17:00"))},
            breaks={"2026-11-23": (("11:30", "13:30"),)},
        )
    )
    assert due(at("2026-11-23T11:00:00+00:00"), 3600, calendar).due_at == at("2026-11-23T14:00:00+00:00")
    assert due(at("2026-11-30T11:00:00+00:00"), 3600, calendar).due_at == at("2026-11-30T12:00:00+00:00")


@pytest.mark.parametrize("spans", [(("00:00", "24:00"),), (("05:00", "21:00"), ("20:00", "06:00"))])
def test_who_never_closes_has_a_yesterday(spans: tuple[tuple[str, str], ...]) -> None:
    """Also where the shifts of all days overlap: then they are one stretch, which has no beginning."""
    calendar = WorkingHours(Calendar(id="always", zone="Europe/Warsaw", hours=dict.fromkeys(WEEKDAYS, spans)))
    end = datetime(2026, 11, 27, 12, tzinfo=UTC)
    total = timedelta()
    for segment in calendar.segments_before(end):
        assert segment.end == end - total
        total += segment.end - segment.start
        if total > timedelta(days=10):
            break
    assert total > timedelta(days=10)
