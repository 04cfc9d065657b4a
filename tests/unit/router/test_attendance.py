"""Is an agent there: leave before working hours, working hours before words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts.workspace import Absence, Agent, Calendar, Workspace
from router.attendance import Attendance

WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("08:00", "17:00"),))
CONFIG = Workspace(
    slug="shop",
    name="Shop",
    zone="Europe/Warsaw",
    calendars=(Calendar(id="std", zone="Europe/Warsaw", hours=WEEK),),
    agents=(
        Agent(id="ann", name="Ann"),
        Agent(id="ben", name="Ben", calendar="std"),
        Agent(id="cem", name="Cem", present=False),
        Agent(
            id="dee",
            name="Dee",
            absences=(
                Absence(first="2026-11-20", last="2026-11-22", deputy="ann"),
                Absence(first="2026-12-24T12:00", last="2026-12-24T18:00"),
            ),
        ),
        Agent(id="old", name="Old", active=False),
    ),
)
KNOWN = Attendance(CONFIG)
FRIDAY = datetime(2026, 11, 20, 14, tzinfo=UTC)
"""15:00 in Warsaw."""


@pytest.mark.parametrize(
    ("agent", "said", "expected"),
    [
        ("ann", None, None),
        ("ann", "present", None),
        ("ann", "away", "away"),
        ("ann", "offline", "offline"),
        ("cem", None, "absent"),
        ("cem", "present", None),
        ("dee", "present", "on_leave"),
        ("old", "present", "unknown_agent"),
        ("nobody", None, "unknown_agent"),
    ],
)
def test_what_they_said_what_is_configured_and_leave(agent: str, said: str | None, expected: str) -> None:
    assert KNOWN.missing(agent, said, FRIDAY) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 11, 20, 6, 59, tzinfo=UTC), "off_shift"),
        (datetime(2026, 11, 20, 7, tzinfo=UTC), None),
        (datetime(2026, 11, 20, 15, 59, tzinfo=UTC), None),
        (datetime(2026, 11, 20, 16, tzinfo=UTC), "off_shift"),
        (datetime(2026, 11, 21, 10, tzinfo=UTC), "off_shift"),
    ],
)
def test_outside_their_hours_they_are_not_there_whatever_they_say(at: datetime, expected: str) -> None:
    assert KNOWN.missing("ben", "present", at) == expected


def test_dates_are_whole_local_days_and_times_end_before_their_end() -> None:
    def away(*at: int) -> bool:
        return KNOWN.missing("dee", None, datetime(2026, *at, tzinfo=UTC)) == "on_leave"

    # Midnights of Warsaw, one hour before those of UTC.
    assert [away(11, 19, 22, 59), away(11, 19, 23), away(11, 22, 22, 59), away(11, 22, 23)] == [
        False,
        True,
        True,
        False,
    ]
    assert [away(12, 24, 10, 59), away(12, 24, 11), away(12, 24, 16, 59), away(12, 24, 17)] == [
        False,
        True,
        True,
        False,
    ]


def test_a_deputy_stands_in_for_the_time_of_the_leave_alone() -> None:
    assert KNOWN.deputy("dee", FRIDAY) == "ann"
    assert KNOWN.deputy("dee", datetime(2026, 11, 25, tzinfo=UTC)) is None
    assert KNOWN.deputy("dee", datetime(2026, 12, 24, 12, tzinfo=UTC)) is None
    assert KNOWN.deputies("dee") == ("ann",)
