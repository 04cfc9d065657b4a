"""When something is due: a target of working time, laid along a calendar from its start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from contracts.calendars import NeverOpen, WorkingHours
from contracts.inbound import InboundMessage
from contracts.ticket import Deadline, Segment

_PLAUSIBLE = timedelta(hours=24)


def due(
    start: datetime, target_seconds: float, hours: WorkingHours, pauses: Sequence[Segment] = ()
) -> Deadline:
    """The deadline and the working time that leads there, in UTC. Outside hours, and in a pause, the clock starts when
    work does next; a deadline on closing time is that closing time. `pauses` in order, without overlaps. Raises
    `NeverOpen`."""
    if target_seconds < 0:
        raise ValueError("a target is not negative")
    left = timedelta(seconds=target_seconds)
    used: list[Segment] = []
    at = start.astimezone(UTC)
    if not left:
        return Deadline(due_at=at, started_at=at, target_seconds=0, calendar=hours.id)
    working = hours.segments(start)
    if pauses:
        working = (part for whole in working for part in _without(whole, pauses))
    for segment in working:
        length = segment.end - segment.start
        if length < left:
            used.append(segment)
            left -= length
            continue
        end = segment.start + left
        return Deadline(
            due_at=end,
            started_at=at,
            target_seconds=int(target_seconds),
            calendar=hours.id,
            segments=(*used, Segment(start=segment.start, end=end)),
        )
    raise NeverOpen(hours.id)


def elapsed(
    start: datetime, end: datetime, hours: WorkingHours, pauses: Sequence[Segment] = ()
) -> tuple[Segment, ...]:
    """The working time from start to end without the pauses; none when end lies before start."""
    found, end = list[Segment](), end.astimezone(UTC)
    for segment in hours.segments(start):
        if segment.start >= end:
            break
        found += _without(Segment(start=segment.start, end=min(segment.end, end)), pauses)
    return tuple(found)


def total(segments: Sequence[Segment]) -> timedelta:
    """How long they are together."""
    return sum((segment.end - segment.start for segment in segments), timedelta())


def before(end: datetime, seconds: float, hours: WorkingHours) -> datetime:
    """The instant that lies so much working time before `end`. Raises `NeverOpen`."""
    left = timedelta(seconds=seconds)
    if not left:
        return end.astimezone(UTC)
    for segment in hours.segments_before(end):
        start = max(segment.start, segment.end - left)
        left -= segment.end - start
        if not left:
            return start
    raise NeverOpen(hours.id)


def starts_at(message: InboundMessage) -> datetime:
    """Where a deadline starts: the provider's time if it is plausible, else ours; never the sender's `Date:`."""
    if message.server_at is None:
        return message.received_at
    age = message.received_at - message.server_at
    return message.server_at if timedelta() <= age <= _PLAUSIBLE else message.received_at


def _without(segment: Segment, pauses: Sequence[Segment]) -> Iterator[Segment]:
    """What the pauses leave of it."""
    at = segment.start
    for pause in pauses:
        if pause.end <= at or pause.start >= segment.end:
            continue
        if pause.start > at:
            yield Segment(start=at, end=pause.start)
        at = min(pause.end, segment.end)
    if at < segment.end:
        yield Segment(start=at, end=segment.end)
