"""A ticket's deadlines: a fold over its moments, worked out as a whole whenever one is added.

The clocks of answers always run. The resolution's stands still in the statuses that the policy names, and from a
solution until the ticket is open again. A transfer, or another priority or policy, keeps the working time used until
then, by the calendar of then; what the new target leaves runs from the change in the new calendar.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from contracts.calendars import NeverOpen, WorkingHours
from contracts.ticket import Clock, Deadline, DeadlineState, Measured, Moment, Segment, Terms
from router.deadlines import due, elapsed, total
from router.service_levels import ServiceLevels

_NEVER = datetime.max.replace(tzinfo=UTC)
_EVER = datetime.min.replace(tzinfo=UTC)


class Clocks(NamedTuple):
    """What the fold gives, by the fields of `Ticket`."""

    deadline: Deadline | None = None
    next_response: Deadline | None = None
    resolution: Deadline | None = None
    first_answer: Measured | None = None
    resolved: Measured | None = None
    next_action_at: datetime | None = None


@dataclass(slots=True)
class _Spans:
    """What the moments say, sorted by what each clock needs."""

    placed: list[tuple[datetime, Terms]] = field(default_factory=list)
    first_ended: datetime | None = None
    answered: datetime | None = None
    asked: datetime | None = None
    """Since when the newest message that wants an answer waits, or waited."""
    asked_ended: datetime | None = None
    pauses: list[Segment] = field(default_factory=list)
    """The last one may still last: until `_NEVER`."""
    status: str = "new"
    solved: datetime | None = None
    latest: datetime = _EVER
    """When something was last done."""

    @property
    def opened(self) -> datetime:
        return self.placed[0][0]

    @property
    def terms(self) -> Terms:
        return self.placed[-1][1]

    def waits(self) -> bool:
        """Whether a clock of answers runs."""
        first = self.first_ended is None and self.placed[0][1].first_response is not None
        return first or (self.asked is not None and self.asked_ended is None)

    def take(self, moment: Moment) -> None:
        """Goes on by one moment. Only what a customer wrote may lie before the moment before it."""
        at = moment.at
        match moment.kind:
            case "opened" | "placed" if moment.terms is not None:
                self.placed.append((at, moment.terms))
                self._pause(at)
            case "customer":
                if not self.waits():
                    self.asked, self.asked_ended = max(at, self.opened), None
                return
            case "answered":
                self._answer(at)
                self.answered = self.answered or at
            case "status" if moment.status is not None:
                self.status = moment.status
                self._pause(at)
                if moment.status == "solved":
                    self._answer(at)
                self.solved = at if moment.status == "solved" else None
            case _:
                return
        self.latest = at

    def _answer(self, at: datetime) -> None:
        self.first_ended = self.first_ended or at
        if self.asked is not None and self.asked_ended is None:
            self.asked_ended = max(at, self.asked)

    def _pause(self, at: datetime) -> None:
        """Begins or ends a pause, by the status and the terms of now."""
        stands = self.status == "solved" or self.status in self.terms.pauses
        lasting = bool(self.pauses) and self.pauses[-1].end == _NEVER
        if stands and not lasting:
            self.pauses.append(Segment(start=at, end=_NEVER))
        elif lasting and not stands:
            self.pauses[-1] = Segment(start=self.pauses[-1].start, end=at)


def fold(moments: Iterable[Moment], levels: ServiceLevels) -> Clocks:
    """The clocks after these moments, which begin with `opened`; none at all without moments."""
    spans = _Spans()
    for moment in moments:
        spans.take(moment)
    if not spans.placed:
        return Clocks()
    asks = spans.placed[0][1].first_response is not None
    first = _deadline("first_response", spans, levels, spans.opened if asks else None, spans.first_ended)
    following = _deadline("next_response", spans, levels, spans.asked, spans.asked_ended)
    resolution = _deadline("resolution", spans, levels, spans.opened, spans.solved)
    running = [d.due_at for d in (first, following, resolution) if d is not None and d.state == "running"]
    return Clocks(
        deadline=first,
        next_response=following,
        resolution=resolution,
        first_answer=_measured(spans, levels, spans.answered, ()),
        resolved=_measured(spans, levels, spans.solved, spans.pauses),
        next_action_at=min(running) if running else _follow_up(spans, levels),
    )


def noted(moments: Sequence[Moment], new: Moment) -> tuple[Moment, ...]:
    """The moments with one more. What changes no clock, and exchanges that are over, are left out: a long conversation has
    few more moments than a short one. `fold` of these equals `fold` of all.

    What is done is never before what was done last, whatever the machine's clock says; what a customer wrote has its own
    time, and may have been on its way meanwhile."""
    spans = _Spans()
    for moment in moments:
        spans.take(moment)
    if new.kind == "customer":
        if spans.waits():
            return tuple(moments)
        return (*_without_exchanges(moments), new)
    if new.kind == "answered" and spans.answered is not None and not spans.waits():
        return tuple(moments)
    return (*moments, msgspec.structs.replace(new, at=max(new.at, spans.latest)))


def _without_exchanges(moments: Sequence[Moment]) -> list[Moment]:
    """Of what was answered only the first answer is measured, and the last one says when something was last done."""
    answers = [number for number, moment in enumerate(moments) if moment.kind == "answered"]
    return [
        moment
        for number, moment in enumerate(moments)
        if moment.kind != "customer" and moment.clock != "next_response" and number not in answers[1:-1]
    ]


def _deadline(
    clock: Clock, spans: _Spans, levels: ServiceLevels, started: datetime | None, ended: datetime | None
) -> Deadline | None:
    if started is None:
        return None
    pauses = spans.pauses if clock == "resolution" else []
    used, (begin, terms) = _used(spans, levels, started, ended, pauses)
    target = getattr(terms, clock)
    if target is None:
        return None
    # Nothing left: due at the change itself, never before it.
    left = max(0.0, target - total(used).total_seconds())
    closed = [pause for pause in pauses if pause.end != _NEVER]
    rest = _due(begin, left, levels.hours(terms.calendar), closed, levels)
    lasting = ended is None and len(closed) < len(pauses)
    state: DeadlineState = "paused" if lasting else "running"
    if ended is not None:
        state = "met" if ended <= rest.due_at else "missed"
    lead = min(terms.warning, target / 2, left)
    return msgspec.structs.replace(
        rest,
        started_at=started,
        target_seconds=target,
        segments=(*used, *rest.segments),
        state=state,
        risk_at=_before(rest, lead) if state == "running" else None,
        ended_at=ended,
    )


def _used(
    spans: _Spans,
    levels: ServiceLevels,
    started: datetime,
    ended: datetime | None,
    pauses: Sequence[Segment],
) -> tuple[tuple[Segment, ...], tuple[datetime, Terms]]:
    """The working time before the last terms that the clock ran under, and from when on it ran under which."""
    used: list[Segment] = []
    begin, terms = started, spans.placed[0][1]
    for at, changed in spans.placed[1:]:
        if ended is not None and at >= ended:
            break
        if at > begin:
            used += elapsed(begin, at, levels.hours(terms.calendar), pauses)
        begin, terms = max(begin, at), changed
    return tuple(used), (begin, terms)


def _measured(
    spans: _Spans, levels: ServiceLevels, ended: datetime | None, pauses: Sequence[Segment]
) -> Measured | None:
    if ended is None:
        return None
    used, (begin, terms) = _used(spans, levels, spans.opened, ended, pauses)
    worked = (*used, *elapsed(begin, ended, levels.hours(terms.calendar), pauses))
    return Measured(
        at=ended,
        business_minutes=total(worked).total_seconds() / 60,
        wall_minutes=(ended - spans.opened).total_seconds() / 60,
    )


def _follow_up(spans: _Spans, levels: ServiceLevels) -> datetime | None:
    """When somebody looks at it again, since no deadline runs."""
    if spans.solved is not None:
        return None
    terms = spans.terms
    return _due(spans.latest, terms.follow_up, levels.hours(terms.calendar), (), levels).due_at


def _due(
    start: datetime, seconds: float, hours: WorkingHours, pauses: Sequence[Segment], levels: ServiceLevels
) -> Deadline:
    try:
        return due(start, seconds, hours, pauses)
    except NeverOpen:
        # A calendar that has run out of working time must not leave a ticket without a deadline.
        return due(start, seconds, levels.always, pauses)


def _before(deadline: Deadline, seconds: float) -> datetime:
    """The instant from which so much of the deadline's working time is left; there is at least as much."""
    left = timedelta(seconds=seconds)
    for segment in reversed(deadline.segments):
        if (length := segment.end - segment.start) >= left:
            return segment.end - left
        left -= length
    return deadline.due_at
