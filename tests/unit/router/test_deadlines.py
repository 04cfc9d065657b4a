"""Deadlines in working hours: the conventions of requirements R-50, R-51, R-51a-c, one scenario a row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from contracts.calendars import WEEKDAYS, NeverOpen, WorkingHours
from contracts.inbound import InboundMessage
from contracts.ticket import Segment
from contracts.workspace import Calendar
from router.deadlines import due, elapsed, starts_at

MEDIUM = 3 * 3600


def office(
    opens: str = "08:00", closes: str = "17:00", zone: str = "Europe/Warsaw", holidays: tuple[str, ...] = ()
) -> WorkingHours:
    week = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), ((opens, closes),))
    return WorkingHours(Calendar(id="std", zone=zone, hours=week, holidays=holidays))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        pytest.param("2026-11-18T10:00+01:00", "2026-11-18T13:00+01:00", id="R-50: the same day"),
        pytest.param("2026-11-20T15:00+01:00", "2026-11-23T09:00+01:00", id="R-51: Friday to Monday"),
        pytest.param("2026-11-20T18:30+01:00", "2026-11-23T11:00+01:00", id="R-51b: after closing"),
        pytest.param("2026-11-21T12:00+01:00", "2026-11-23T11:00+01:00", id="R-51b: on Saturday"),
        pytest.param("2026-11-20T14:00+01:00", "2026-11-20T17:00+01:00", id="R-51b: exactly at closing"),
        pytest.param("2026-11-20T14:01+01:00", "2026-11-23T08:01+01:00", id="R-51b: a minute over"),
        pytest.param("2026-10-23T15:00+02:00", "2026-10-26T09:00+01:00", id="R-51c: the clocks change"),
    ],
)
def test_medium_in_the_standard_calendar(created: str, expected: str) -> None:
    assert due(at(created), MEDIUM, office()).due_at == at(expected)


@pytest.mark.parametrize(
    ("opens", "closes", "expected"),
    [
        ("08:00", "17:00", "2026-11-23T09:00+01:00"),
        ("09:00", "17:00", "2026-11-23T10:00+01:00"),
        ("09:00", "18:00", "2026-11-20T18:00+01:00"),
        ("08:00", "16:00", "2026-11-23T10:00+01:00"),
    ],
)
def test_other_calendars_give_other_deadlines(opens: str, closes: str, expected: str) -> None:
    assert due(at("2026-11-20T15:00+01:00"), MEDIUM, office(opens, closes)).due_at == at(expected)


def test_a_holiday_is_no_working_time() -> None:
    calendar = office(holidays=("2026-11-11",))
    assert due(at("2026-11-10T15:00+01:00"), MEDIUM, calendar).due_at == at("2026-11-12T09:00+01:00")


def test_each_department_in_its_own_zone() -> None:
    calendar = office("09:00", "18:00", "America/New_York")
    assert due(at("2026-11-20T15:00+01:00"), MEDIUM, calendar).due_at == at("2026-11-20T12:00-05:00")


def test_segments_tell_where_the_time_went() -> None:
    deadline = due(at("2026-11-20T15:00+01:00"), MEDIUM, office())
    spans = [(segment.start, segment.end) for segment in deadline.segments]
    assert spans == [
        (at("2026-11-20T15:00+01:00"), at("2026-11-20T17:00+01:00")),
        (at("2026-11-23T08:00+01:00"), at("2026-11-23T09:00+01:00")),
    ]
    assert (deadline.calendar, deadline.target_seconds) == ("std", MEDIUM)


def test_no_target_is_due_at_once_and_a_negative_one_is_refused() -> None:
    saturday = at("2026-11-21T12:00+01:00")
    assert due(saturday, 0, office()).due_at == saturday
    with pytest.raises(ValueError):
        due(saturday, -1, office())


def test_a_calendar_without_hours_has_no_deadlines() -> None:
    with pytest.raises(NeverOpen):
        due(at("2026-11-20T15:00+01:00"), 1, WorkingHours(Calendar(id="shut", zone="UTC", hours={})))


@pytest.mark.parametrize(
    ("before_us", "trusted"),
    [
        (timedelta(minutes=5), True),
        (timedelta(hours=24), True),
        (timedelta(hours=24, seconds=1), False),
        (timedelta(seconds=-1), False),
    ],
)
def test_the_clock_starts_at_the_provider_s_time_while_it_is_plausible(
    before_us: timedelta, trusted: bool
) -> None:
    received = datetime(2026, 11, 20, 14, tzinfo=UTC)
    message = InboundMessage(
        message_id=uuid4(),
        workspace=uuid4(),
        channel="email",
        account="support",
        provider_id="1",
        received_at=received,
        server_at=received - before_us,
        sent_at=received - timedelta(days=400),
    )
    assert starts_at(message) == (received - before_us if trusted else received)


def test_a_pause_that_never_ends_is_not_followed_for_ever() -> None:
    start, end = datetime(2026, 11, 23, 12, tzinfo=UTC), datetime(2026, 11, 23, 14, tzinfo=UTC)
    paused = Segment(start=start + timedelta(hours=1), end=datetime.max.replace(tzinfo=UTC))
    week = dict.fromkeys(WEEKDAYS, (("00:00", "24:00"),))
    always = WorkingHours(Calendar(id="always", zone="UTC", hours=week))
    worked = elapsed(start, end, always, [paused])
    assert worked == (Segment(start=start, end=start + timedelta(hours=1)),)
