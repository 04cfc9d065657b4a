"""Laws of deadlines: later and larger is never earlier, parts add up, `elapsed` is the inverse, and a minute-by-minute count
of random calendars over clock changes says the same. Laws of clocks: what is left out of the moments changes nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contracts.calendars import WEEKDAYS, WorkingHours
from contracts.ticket import Moment, Segment, Terms
from contracts.workspace import Calendar, Workspace
from router.clocks import fold, noted
from router.deadlines import before, due, elapsed, total
from router.service_levels import ServiceLevels

clocks = st.integers(0, 24 * 4).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}")
spans = st.tuples(clocks, clocks).filter(lambda span: span[0] != span[1] and span[0] != "24:00")
days = st.dictionaries(
    st.sampled_from(WEEKDAYS), st.lists(spans, min_size=1, max_size=3).map(tuple), min_size=1
)
calendars = st.builds(
    lambda zone, hours: WorkingHours(Calendar(id="any", zone=zone, hours=hours)),
    st.sampled_from(["UTC", "Europe/Warsaw", "America/New_York", "Australia/Lord_Howe"]),
    days,
)
instants = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
targets = st.integers(1, 40 * 3600)


@st.composite
def pauses(draw: st.DrawFn, start: datetime) -> list[Segment]:
    """In order, without overlaps."""
    found, at = list[Segment](), start
    for _ in range(draw(st.integers(0, 3))):
        begin = at + timedelta(minutes=draw(st.integers(0, 5000)))
        at = begin + timedelta(minutes=draw(st.integers(1, 5000)))
        found.append(Segment(start=begin, end=at))
    return found


@given(calendars, instants, targets, st.data())
def test_segments_add_up_to_the_target_and_do_not_overlap(
    calendar: WorkingHours, start: datetime, target: int, data: st.DataObject
) -> None:
    stood = data.draw(pauses(start))
    deadline = due(start, target, calendar, stood)
    assert total(deadline.segments) == timedelta(seconds=target)
    assert deadline.due_at == deadline.segments[-1].end
    assert deadline.segments[0].start >= start
    for left, right in zip(deadline.segments, deadline.segments[1:], strict=False):
        assert left.end <= right.start
    for segment in deadline.segments:
        assert all(segment.end <= pause.start or segment.start >= pause.end for pause in stood)


@given(calendars, instants, st.timedeltas(timedelta(0), timedelta(days=9)), targets, targets, st.data())
def test_a_deadline_is_never_earlier_for_a_later_start_or_a_larger_target(
    calendar: WorkingHours,
    start: datetime,
    later: timedelta,
    target: int,
    more: int,
    data: st.DataObject,
) -> None:
    stood = data.draw(pauses(start))
    assert due(start, target, calendar, stood).due_at <= due(start + later, target, calendar, stood).due_at
    assert due(start, target, calendar, stood).due_at < due(start, target + more, calendar, stood).due_at
    assert due(start, target, calendar).due_at <= due(start, target, calendar, stood).due_at


@given(calendars, instants, targets, targets, st.data())
def test_one_target_after_another_is_both_at_once(
    calendar: WorkingHours, start: datetime, first: int, second: int, data: st.DataObject
) -> None:
    stood = data.draw(pauses(start))
    half = due(start, first, calendar, stood).due_at
    assert due(half, second, calendar, stood).due_at == due(start, first + second, calendar, stood).due_at


@given(calendars, instants, targets, st.data())
def test_the_time_that_went_by_until_the_deadline_is_the_target(
    calendar: WorkingHours, start: datetime, target: int, data: st.DataObject
) -> None:
    stood = data.draw(pauses(start))
    end = due(start, target, calendar, stood).due_at
    assert total(elapsed(start, end, calendar, stood)) == timedelta(seconds=target)
    end = due(start, target, calendar).due_at
    assert calendar.between(start, end) == timedelta(seconds=target)
    assert due(before(end, target, calendar), target, calendar).due_at == end


_PLACES = (
    ("Europe/Warsaw", date(2026, 3, 25)),
    ("Europe/Warsaw", date(2026, 10, 21)),
    ("America/New_York", date(2028, 2, 26)),
    ("Australia/Lord_Howe", date(2026, 4, 1)),
    ("Australia/Lord_Howe", date(2026, 9, 30)),
    ("America/Havana", date(2026, 10, 28)),
    ("America/Sao_Paulo", date(2018, 10, 31)),
    ("Pacific/Apia", date(2011, 12, 27)),
    ("Asia/Kathmandu", date(2026, 1, 1)),
)
_MINUTE = timedelta(minutes=1)
_LENGTH = 13


@cache
def minutes(zone: str, first: date) -> tuple[datetime, dict[datetime, int], timedelta]:
    """Some days minute by minute: when they begin, the first minute at which a clock on the wall shows a time, and by how
    much the clocks are put forward."""
    start = datetime.combine(first, time(), ZoneInfo(zone)).astimezone(UTC)
    shown: dict[datetime, int] = {}
    gap, last = timedelta(), None
    for number in range(_LENGTH * 24 * 60):
        wall = (start + number * _MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        shown.setdefault(wall, number)
        if last is not None and wall - last > _MINUTE:
            gap = wall - last - _MINUTE
        last = wall
    return start, shown, gap


def count(zone: str, first: date, calendar: Calendar) -> list[bool]:
    """Whether each minute is working time."""
    _, shown, gap = minutes(zone, first)
    is_open = [False] * (_LENGTH * 24 * 60)

    def at(day: date, clock: str) -> int:
        wall = datetime.combine(day, time()) + timedelta(hours=int(clock[:2]), minutes=int(clock[3:]))
        return shown.get(wall, shown.get(wall + gap, len(is_open)))

    def mark(day: date, intervals: Any, value: bool) -> None:
        for opens, closes in intervals:
            end = day if closes > opens else day + timedelta(days=1)
            for number in range(at(day, opens), at(end, closes)):
                own[number] = value

    for offset in range(_LENGTH - 1):
        day = first + timedelta(days=offset)
        own: dict[int, bool] = {}
        if datetime.combine(day, time(12)) in shown:
            usual = (
                ()
                if day.isoformat() in calendar.holidays
                else calendar.hours.get(WEEKDAYS[day.weekday()], ())
            )
            mark(day, calendar.overrides.get(day.isoformat(), usual), True)
            mark(day, calendar.breaks.get(day.isoformat(), ()), False)
        for number, value in own.items():
            is_open[number] |= value
    return is_open


@st.composite
def local_calendars(draw: st.DrawFn, zone: str, first: date) -> Calendar:
    dates = st.integers(0, _LENGTH).map(lambda offset: (first + timedelta(days=offset)).isoformat())
    own = st.dictionaries(dates, st.lists(spans, max_size=2).map(tuple), max_size=2)
    return Calendar(
        id="any",
        zone=zone,
        hours=draw(days),
        holidays=tuple(draw(st.lists(dates, max_size=2))),
        overrides=draw(own),
        breaks=draw(own),
    )


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(_PLACES), st.integers(24 * 60, 6 * 24 * 60), st.integers(1, 30 * 60), st.data())
def test_counting_minutes_by_the_clock_on_the_wall_says_the_same(
    place: tuple[str, date], after: int, target: int, data: st.DataObject
) -> None:
    calendar = data.draw(local_calendars(*place))
    start, is_open = minutes(*place)[0], count(*place, calendar)
    # The day before the first one may have a night shift that is not counted.
    worked = [number for number in range(after, len(is_open) - 2 * 24 * 60) if is_open[number]]
    assume(len(worked) >= target)
    expected = start + (worked[target - 1] + 1) * _MINUTE
    assert due(start + after * _MINUTE, target * 60, WorkingHours(calendar)).due_at == expected


LEVELS = ServiceLevels(
    Workspace(
        slug="laws",
        name="",
        calendars=(
            Calendar(
                id="day",
                zone="Europe/Warsaw",
                hours={"mon": (("08:00", "17:00"),), "wed": (("09:00", "12:00"),)},
            ),
            Calendar(id="night", zone="Asia/Kathmandu", hours=dict.fromkeys(WEEKDAYS, (("22:00", "06:00"),))),
        ),
    )
)
optional = st.sampled_from([None, 3600, 9000, 40000])
terms = st.builds(
    Terms,
    calendar=st.sampled_from(["day", "night"]),
    first_response=optional,
    next_response=optional,
    resolution=optional,
    pauses=st.sampled_from([(), ("waiting",)]),
    follow_up=st.just(3600),
    warning=st.just(900),
)
happened = st.one_of(
    st.builds(Moment, kind=st.sampled_from(["customer", "answered"]), at=instants),
    st.builds(
        Moment, kind=st.just("status"), at=instants, status=st.sampled_from(["open", "waiting", "solved"])
    ),
    st.builds(Moment, kind=st.just("placed"), at=instants, terms=terms),
)


@st.composite
def lives(draw: st.DrawFn) -> list[Moment]:
    """A ticket's life. What customers wrote tells its own time; everything else is done in order."""
    at = datetime(2026, 3, 26, 9, tzinfo=UTC)
    found = [Moment(kind="opened", at=at, terms=draw(terms))]
    for moment in draw(st.lists(happened, max_size=12)):
        at += timedelta(minutes=draw(st.integers(0, 2000)))
        delay = timedelta(minutes=draw(st.integers(0, 300))) if moment.kind == "customer" else timedelta()
        found.append(Moment(kind=moment.kind, at=at - delay, terms=moment.terms, status=moment.status))
    return found


@given(lives())
def test_what_is_left_out_of_the_moments_changes_nothing(life: list[Moment]) -> None:
    kept: tuple[Moment, ...] = ()
    for moment in life:
        kept = noted(kept, moment) if kept else (moment,)
    assert fold(kept, LEVELS) == fold(life, LEVELS)


@given(lives())
def test_a_deadline_holds_exactly_its_target_and_lies_after_every_change(life: list[Moment]) -> None:
    clocks_found = fold(life, LEVELS)
    last = max((moment.at for moment in life if moment.kind in ("opened", "placed")), default=None)
    for found in (clocks_found.deadline, clocks_found.next_response, clocks_found.resolution):
        if found is None or found.state != "running":
            continue
        assert last is not None
        assert found.due_at >= last or found.started_at > last
        assert total(found.segments) >= timedelta(seconds=found.target_seconds)
        if found.segments and found.segments[-1].end == found.due_at and found.due_at > last:
            assert total(found.segments) == timedelta(seconds=found.target_seconds)


@given(lives())
def test_every_unsolved_ticket_has_a_next_time_to_act(life: list[Moment]) -> None:
    statuses = [moment.status for moment in life if moment.kind == "status"]
    assert statuses[-1:] == ["solved"] or fold(life, LEVELS).next_action_at is not None
