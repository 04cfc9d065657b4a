"""Working hours in local wall-clock time, as instants.

An interval is closed at its start and open at its end. A local time that a clock change skips is read one hour later;
one that occurs twice is read as its first occurrence. Wall-clock hours keep over a change: 09:00-17:00 has eight hours.
A date that a zone leaves out (Apia, 30 December 2011) has no hours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from contracts.public_holidays import public_holidays
from contracts.ticket import Segment
from contracts.workspace import Calendar

_Span = tuple[datetime, datetime]

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# Further than any interval of one day reaches.
_REACH = timedelta(days=2)

# A calendar that has not opened for so many days has closed for good.
_HORIZON_DAYS = 3 * 366

# Days outside of these have no neighbours to ask for. Days are counted as `date.toordinal` does it: a deadline walks over some.
_FIRST, _LAST = date.min.toordinal() + 3, date.max.toordinal() - 3

# Deadlines ask for the same few days again and again.
_DAYS_KEPT = 512


class NeverOpen(ValueError):
    """The calendar has no working time where some was needed."""


class WorkingHours:
    """A calendar, ready to be asked. It never changes; every instant taken and given is aware, given ones are UTC."""

    def __init__(self, calendar: Calendar) -> None:
        self.id = calendar.id
        self._calendar = calendar
        self._zone = ZoneInfo(calendar.zone)
        self._days: dict[int, list[_Span]] = {}

    def segments(self, start: datetime) -> Iterator[Segment]:
        """The stretches of working time from `start` on, in order; ends where three years have none."""
        at = start.astimezone(UTC)
        # From the day before: an interval may reach past midnight, and into the next day's own hours.
        day = at.astimezone(self._zone).toordinal() - 1
        shut = 0
        while shut < _HORIZON_DAYS and _FIRST <= day <= _LAST:
            shut += 1
            for opens, closes in self._day(day):
                if closes > at:
                    yield Segment(start=max(opens, at), end=closes)
                    at, shut = closes, 0
            day += 1

    def segments_before(self, end: datetime) -> Iterator[Segment]:
        """The stretches of working time before `end`, newest first."""
        end = end.astimezone(UTC)
        day = end.astimezone(self._zone).toordinal() + 1
        held: Segment | None = None
        shut = 0
        # One is held back: the day before may have a night shift that reaches into it, or beyond it.
        while shut < _HORIZON_DAYS and _FIRST <= day <= _LAST:
            shut += 1
            for opens, closes in reversed(self._day(day)):
                if opens >= end:
                    continue
                closes, shut = min(closes, end), 0
                if held is not None and closes >= held.start:
                    held = Segment(start=min(opens, held.start), end=max(closes, held.end))
                    if (cut := held.start + _REACH) < held.end:
                        # Nothing that is older reaches so far: who never closes would be held back for ever.
                        yield Segment(start=cut, end=held.end)
                        held = Segment(start=held.start, end=cut)
                    continue
                if held is not None:
                    yield held
                held = Segment(start=opens, end=closes)
            day -= 1
        if held is not None:
            yield held

    def is_open(self, at: datetime) -> bool:
        """Whether work is done at this instant."""
        first = next(self.segments(at), None)
        return first is not None and first.start == at.astimezone(UTC)

    def next_open(self, at: datetime) -> datetime:
        """`at` if open, else the next opening. Raises `NeverOpen`."""
        first = next(self.segments(at), None)
        if first is None:
            raise NeverOpen(self.id)
        return first.start

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Working time from start to end; none when end lies before start."""
        total, end = timedelta(), end.astimezone(UTC)
        for segment in self.segments(start):
            if segment.start >= end:
                break
            total += min(segment.end, end) - segment.start
        return total

    @cached_property
    def _holidays(self) -> frozenset[date]:
        return frozenset(date.fromisoformat(day) for day in self._calendar.holidays)

    def _is_holiday(self, day: date) -> bool:
        country, region = self._calendar.country, self._calendar.region
        if country is not None and day in public_holidays(country, region, day.year):
            return True
        return day in self._holidays

    def _day(self, day: int) -> list[_Span]:
        """The intervals of a local date as instants, in order, merged where they touch."""
        found = self._days.get(day)
        if found is None:
            if len(self._days) >= _DAYS_KEPT:
                self._days.clear()
            found = self._days[day] = self._worked_out(date.fromordinal(day))
        return found

    def _worked_out(self, day: date) -> list[_Span]:
        override = self._calendar.overrides.get(day.isoformat())
        if self._is_left_out(day):
            return []
        if override is None:
            closed = self._is_holiday(day)
            override = () if closed else self._calendar.hours.get(WEEKDAYS[day.weekday()], ())
        merged = list[_Span]()
        for opens, closes in self._spans(day, override):
            if merged and opens <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], closes))
            else:
                merged.append((opens, closes))
        for pause in self._spans(day, self._calendar.breaks.get(day.isoformat(), ())):
            merged = [part for span in merged for part in _without(span, pause)]
        return merged

    def _spans(self, day: date, intervals: Iterable[tuple[str, str]]) -> list[_Span]:
        """As instants, in order; what a clock change leaves nothing of is left out."""
        spans = sorted((self._at(day, a), self._close(day, a, b)) for a, b in intervals)
        return [(opens, closes) for opens, closes in spans if opens < closes]

    def _close(self, day: date, opens: str, closes: str) -> datetime:
        """The end of an interval: one that is not after its start is on the next day (a night shift)."""
        return self._at(day, closes) if closes > opens else self._at(day + timedelta(days=1), closes)

    def _is_left_out(self, day: date) -> bool:
        """Whether the zone has no such date: its clocks were put forward by a whole day."""
        noon = datetime.combine(day, time(12), self._zone)
        return noon.astimezone(UTC).astimezone(self._zone).date() != day

    def _at(self, day: date, clock: str) -> datetime:
        if clock == "24:00":
            day, clock = day + timedelta(days=1), "00:00"
        local = datetime.combine(day, time.fromisoformat(clock), self._zone)
        # fold=0 reads a skipped time with the offset before the change, which is one hour later on the wall.
        return local.astimezone(UTC)


def _without(span: _Span, pause: _Span) -> list[_Span]:
    """What a pause leaves of a span: nothing, one part or two."""
    parts = ((span[0], min(span[1], pause[0])), (max(span[0], pause[1]), span[1]))
    return [part for part in parts if part[0] < part[1]]
