"""Which accepted records are still on their way to their terminal row, read from the topics between the stages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from contracts.base import decoder
from contracts.resolved import Position
from contracts.topics import DEAD_LETTERS, RESOLVED, Topic
from runtime.kafka import Offsets, begin_offsets, committed_offsets, end_offsets, read_range

# Names of consumer groups are names of stages (`runtime/stage.py`).
_IDENTITY = "identity"
_ROUTER = "router"
_FEEDER = "sinks"

_PAGE = 4096


class _Descent(msgspec.Struct):
    """The one thing to know of a resolved message or dead letter: the accepted record it comes from."""

    position: Position | None = None
    source: Position | None = None


_descent = decoder(_Descent)


@dataclass(slots=True)
class InTransit:
    """`ends`: where each counted partition ended when it was looked at. `covers` is about offsets below that."""

    ends: Offsets
    unread: Offsets
    """From here on, the first stage has not committed yet."""
    _marks: dict[tuple[str, int, int], bytearray] = field(default_factory=dict)

    def covers(self, topic: str, partition: int, offset: int) -> bool:
        """Whether the record is unread, or has gone on to a topic whose reader has not committed it."""
        if offset >= self.unread[topic, partition]:
            return True
        page = self._marks.get((topic, partition, offset // _PAGE))
        return page is not None and bool(page[offset % _PAGE])

    def mark(self, position: Position) -> None:
        """One byte a record: a backlog of a million takes a megabyte."""
        key = (position.topic, position.partition, position.offset // _PAGE)
        self._marks.setdefault(key, bytearray(_PAGE))[position.offset % _PAGE] = 1


async def in_transit(bootstrap: str, counted: Sequence[Topic]) -> InTransit:
    """The state between acceptance and terminal rows.

    Read in the order in which records flow, and before the rows are read: whatever moves on meanwhile is seen further
    down, so that a running system shows no false residual.
    """
    letters = list(DEAD_LETTERS.values())
    ends = await end_offsets(bootstrap, counted)
    unread = await _committed(bootstrap, _IDENTITY, [topic for topic in counted if topic not in letters])
    resolved = await _committed(bootstrap, _ROUTER, [RESOLVED])
    resolved_ends = await end_offsets(bootstrap, [RESOLVED])
    fed = await _committed(bootstrap, _FEEDER, letters)
    fed_ends = await end_offsets(bootstrap, letters)
    unread |= {place: offset for place, offset in fed.items() if place in ends}
    transit = InTransit(ends, unread)
    await _scan(bootstrap, transit, resolved, resolved_ends)
    await _scan(bootstrap, transit, fed, fed_ends)
    return transit


async def _committed(bootstrap: str, group: str, topics: Sequence[Topic]) -> Offsets:
    """Where the group goes on reading: a group that has never committed, or whose records retention has deleted, goes on
    at the beginning of what is there."""
    begin, committed = await asyncio.gather(
        begin_offsets(bootstrap, topics), committed_offsets(bootstrap, group, topics)
    )
    return {place: max(offset, committed.get(place, 0)) for place, offset in begin.items()}


async def _scan(bootstrap: str, transit: InTransit, starts: Offsets, ends: Offsets) -> None:
    for (topic, partition), end in ends.items():
        start = starts.get((topic, partition), 0)
        if start >= end:
            continue
        async for record in read_range(bootstrap, topic, partition, start, end):
            try:
                descent = _descent.decode(record.value or b"")
            except msgspec.MsgspecError:
                continue
            for position in (descent.source, descent.position):
                if position and (position.topic, position.partition) in transit.ends:
                    transit.mark(position)
