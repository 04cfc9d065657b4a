"""The clocks of a ticket through its life, in the terms of requirements R-26, R-50 to R-53 and of decisions 2 and 4."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from contracts.alarms import alarms
from contracts.ticket import Deadline, Moment, Ticket
from contracts.workspace import Calendar, Department, SlaPolicy
from router import timing
from router.clocks import fold, noted
from router.service_levels import ServiceLevels
from tests.support.routing import Desk, message, rule_set, workspace

_WEEK = ("mon", "tue", "wed", "thu", "fri")
CONFIG = workspace(
    calendars=(
        Calendar(id="std", zone="Europe/Warsaw", hours=dict.fromkeys(_WEEK, (("08:00", "17:00"),))),
        Calendar(id="new-york", zone="America/New_York", hours=dict.fromkeys(_WEEK, (("09:00", "18:00"),))),
    ),
    sla_policies=(
        SlaPolicy(
            id="std",
            first_response={"urgent": 30, "high": 60, "medium": 180, "low": 480},
            next_response={"urgent": 30, "high": 60, "medium": 120, "low": 480},
            resolution={"urgent": 120, "high": 240, "medium": 600, "low": 1200},
        ),
        SlaPolicy(id="slow", first_response={"urgent": 480, "high": 480, "medium": 480, "low": 480}),
    ),
    departments=(
        Department(id="support", name="Support", calendar="std", sla="std"),
        Department(id="wholesale", name="Wholesale", calendar="new-york", sla="slow"),
    ),
)
LEVELS = ServiceLevels(CONFIG)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def monday(clock: str) -> datetime:
    return at(f"2026-11-23T{clock}+01:00")


EIGHT = monday("08:00")


def opened(when: datetime = EIGHT, **given: Any) -> Ticket:
    plan = Desk(rule_set()).take(message())
    fields: dict[str, Any] = {"department": "support", "priority": "medium", "status": "new"} | given
    bare = msgspec.structs.replace(plan.ticket, moments=(), deadline=None, **fields)
    return timing.opened(bare, when, LEVELS)


def changed(ticket: Ticket, clock: str, wrote: Any = None, **fields: Any) -> Ticket:
    after = msgspec.structs.replace(ticket, **fields)
    return timing.changed(ticket, after, monday(clock), LEVELS, wrote)


def deadline(found: Deadline | None) -> Deadline:
    assert found is not None
    return found


def worked(found: Deadline) -> timedelta:
    return sum((segment.end - segment.start for segment in found.segments), timedelta())


def test_a_new_ticket_has_a_first_response_and_a_resolution_to_come() -> None:
    ticket = opened()
    assert (deadline(ticket.deadline).due_at, deadline(ticket.deadline).state) == (monday("11:00"), "running")
    assert deadline(ticket.resolution).due_at == at("2026-11-24T09:00+01:00")
    assert ticket.next_response is None
    assert ticket.next_action_at == monday("11:00")
    assert (ticket.first_answer, ticket.resolved) == (None, None)


def test_each_department_in_its_own_hours() -> None:
    friday = at("2026-11-20T15:00+01:00")
    levels = ServiceLevels(
        msgspec.structs.replace(
            CONFIG,
            departments=(CONFIG.departments[0], msgspec.structs.replace(CONFIG.departments[1], sla="std")),
        )
    )
    support, wholesale = opened(friday), opened(friday, department="wholesale")
    wholesale = timing.opened(msgspec.structs.replace(wholesale, moments=()), friday, levels)
    assert deadline(support.deadline).due_at == at("2026-11-23T09:00+01:00")
    assert deadline(wholesale.deadline).due_at == at("2026-11-20T12:00-05:00")


def test_both_times_are_measured_in_working_minutes_and_on_the_wall() -> None:
    ticket = opened(at("2026-11-20T16:50+01:00"))
    ticket = changed(ticket, "08:10", "agent")
    assert ticket.first_answer is not None
    assert (ticket.first_answer.business_minutes, ticket.first_answer.wall_minutes) == (20.0, 3800.0)
    assert deadline(ticket.deadline).state == "met"
    solved = changed(ticket, "09:50", status="solved")
    assert solved.resolved is not None
    assert (solved.resolved.business_minutes, solved.resolved.wall_minutes) == (120.0, 3900.0)
    assert (deadline(solved.resolution).state, solved.next_action_at) == ("met", None)


def test_waiting_pauses_the_resolution_and_never_the_first_response() -> None:
    waiting = changed(opened(), "09:00", status="waiting")
    assert (deadline(waiting.deadline).due_at, deadline(waiting.deadline).state) == (
        monday("11:00"),
        "running",
    )
    assert (deadline(waiting.resolution).state, waiting.next_action_at) == ("paused", monday("11:00"))
    # The reply came by its own time, however late we heard of it.
    replied = changed(waiting, "12:30", "customer", status="open")
    assert deadline(replied.resolution).due_at == at("2026-11-24T12:30+01:00")
    assert worked(deadline(replied.resolution)) == timedelta(minutes=600)
    assert deadline(replied.resolution).segments[0].end == monday("09:00")


def test_the_switch_of_the_policy_lets_the_resolution_run_while_the_customer_is_waited_for() -> None:
    policy = msgspec.structs.replace(CONFIG.sla_policies[0], pauses=())
    levels = ServiceLevels(msgspec.structs.replace(CONFIG, sla_policies=(policy, CONFIG.sla_policies[1])))
    ticket = timing.opened(msgspec.structs.replace(opened(), moments=()), monday("08:00"), levels)
    after = msgspec.structs.replace(ticket, status="waiting")
    waiting = timing.changed(ticket, after, monday("09:00"), levels)
    assert deadline(waiting.resolution).state == "running"
    assert deadline(waiting.resolution).due_at == deadline(ticket.resolution).due_at


def test_a_reply_that_was_on_its_way_before_the_pause_leaves_none() -> None:
    waiting = changed(opened(), "10:05", status="waiting")
    replied = changed(waiting, "10:03", "customer", status="open")
    assert deadline(replied.resolution).due_at == deadline(opened().resolution).due_at


def test_a_transfer_keeps_the_time_used_and_lays_the_rest_in_the_new_hours() -> None:
    """The example of decision 4: two hours of three are used, and the new department has eight."""
    moved = changed(opened(), "10:00", department="wholesale")
    found = deadline(moved.deadline)
    # Six more hours of that department's time, which begins at 15:00 in Warsaw.
    assert found.due_at == at("2026-11-23T15:00-05:00")
    assert [(segment.start, segment.end) for segment in found.segments] == [
        (monday("08:00"), monday("10:00")),
        (at("2026-11-23T09:00-05:00"), at("2026-11-23T15:00-05:00")),
    ]
    assert (found.target_seconds, found.calendar, moved.transfers) == (8 * 3600, "new-york", 1)
    assert moved.resolution is None


def test_a_higher_priority_is_never_due_before_it_was_given() -> None:
    raised = changed(opened(), "10:00", priority="urgent")
    assert deadline(raised.deadline).due_at == monday("10:00")
    assert worked(deadline(raised.deadline)) == timedelta(hours=2)


def test_there_and_back_again_is_worked_out_as_a_whole() -> None:
    there = changed(opened(), "09:00", department="wholesale")
    back = changed(there, "10:00", department="support")
    assert deadline(back.deadline).due_at == monday("12:00")
    assert back.transfers == 2


def test_what_the_customer_writes_later_has_a_deadline_of_its_own() -> None:
    answered = changed(opened(), "09:00", "agent", status="open")
    assert answered.next_response is None
    asked = changed(answered, "10:00", "customer")
    assert deadline(asked.next_response).due_at == monday("12:00")
    assert changed(asked, "11:00", "customer").next_response == asked.next_response
    again = changed(asked, "11:30", "agent")
    assert (deadline(again.next_response).state, again.next_action_at) == (
        "met",
        deadline(again.resolution).due_at,
    )
    assert again.first_answer == answered.first_answer


def test_a_second_question_before_the_first_answer_starts_no_other_clock() -> None:
    asked = changed(opened(), "10:00", "customer")
    assert (asked.next_response, deadline(asked.deadline).due_at) == (None, monday("11:00"))


def test_a_late_answer_is_late() -> None:
    late = changed(opened(), "11:00", "agent")
    assert deadline(late.deadline).state == "met"
    late = changed(opened(), "11:01", "agent")
    assert (deadline(late.deadline).state, deadline(late.deadline).ended_at) == ("missed", monday("11:01"))


def test_a_solved_ticket_that_is_open_again_goes_on_where_it_stood() -> None:
    solved = changed(changed(opened(), "09:00", "agent"), "10:00", status="solved")
    again = changed(solved, "15:00", "customer", status="open")
    assert again.resolved is None
    assert deadline(again.next_response).due_at == monday("17:00")
    # Two of ten hours are used; five of them nobody worked on it.
    assert deadline(again.resolution).due_at == at("2026-11-24T14:00+01:00")


def test_nothing_unsolved_is_without_a_next_time_to_act() -> None:
    open_ticket = changed(opened(department="wholesale"), "16:00", "agent", status="open")
    # No resolution is promised here, so nothing runs: it is looked at after 24 working hours.
    assert open_ticket.resolution is None
    assert open_ticket.next_action_at == at("2026-11-25T15:00-05:00") + timedelta(hours=1)
    assert changed(open_ticket, "17:00", status="solved").next_action_at is None


def test_a_ticket_from_before_there_were_moments_begins_with_its_deadline() -> None:
    old = msgspec.structs.replace(opened(), moments=(), resolution=None, next_action_at=None)
    answered = changed(old, "09:00", "agent")
    assert (deadline(answered.deadline).state, deadline(answered.deadline).started_at) == (
        "met",
        monday("08:00"),
    )


def test_what_changes_no_clock_leaves_the_ticket_as_it_is() -> None:
    ticket = opened()
    taken = changed(ticket, "09:00", status="open", agent="ann")
    assert taken.moments == ticket.moments
    assert (taken.agent, taken.status) == ("ann", "open")


def test_a_long_chat_keeps_few_moments() -> None:
    ticket, start = opened(), monday("09:00")
    for number in range(50):
        for wrote in ("agent", "customer"):
            when = start + timedelta(minutes=number)
            ticket = timing.changed(ticket, ticket, when, LEVELS, wrote)  # type: ignore[arg-type]
    assert len(ticket.moments) <= 4
    assert ticket.first_answer is not None
    assert ticket.first_answer.at == start


def told(ticket: Ticket, now: datetime) -> Ticket:
    for alarm in alarms(ticket):
        if alarm.at <= now:
            ticket = timing.told(ticket, alarm, now, LEVELS)
    return ticket


def kinds(ticket: Ticket, now: datetime, clock: str = "first_response") -> list[str]:
    return [alarm.kind for alarm in alarms(ticket) if alarm.at <= now and alarm.clock == clock]


@pytest.mark.parametrize(
    ("clock", "expected"),
    [("10:44", []), ("10:45", ["sla_risk"]), ("11:00", ["sla_risk", "sla_breached"])],
)
def test_fifteen_minutes_before_and_at_the_deadline(clock: str, expected: list[str]) -> None:
    assert kinds(opened(), monday(clock)) == expected


def test_each_is_told_once_whatever_the_clock_does() -> None:
    ticket = told(opened(), monday("10:50"))
    assert kinds(ticket, monday("10:50")) == []
    assert kinds(ticket, monday("10:45")) == []
    assert kinds(ticket, monday("11:00")) == ["sla_breached"]
    assert kinds(told(ticket, monday("12:00")), monday("16:00")) == []


def test_an_answer_in_time_is_told_to_nobody_and_a_late_one_is() -> None:
    assert kinds(changed(opened(), "10:59", "agent"), monday("16:00")) == []
    assert kinds(changed(opened(), "11:01", "agent"), monday("16:00")) == ["sla_breached"]


def test_the_warning_counts_working_time_and_a_short_target_is_warned_of_half_way() -> None:
    assert deadline(opened(at("2026-11-20T14:05+01:00")).deadline).due_at == monday("08:05")
    assert deadline(opened(at("2026-11-20T14:05+01:00")).deadline).risk_at == at("2026-11-20T16:50+01:00")
    assert deadline(opened(priority="urgent").deadline).risk_at == monday("08:15")


def test_a_new_deadline_is_told_anew_but_not_one_that_a_change_leaves_no_time() -> None:
    missed = told(opened(), monday("11:30"))
    moved = changed(missed, "12:00", department="wholesale")
    assert kinds(moved, monday("22:00")) == ["sla_risk", "sla_breached"]
    raised = changed(missed, "12:00", priority="urgent")
    assert kinds(raised, monday("22:00")) == []


def test_a_paused_resolution_is_told_nothing_of() -> None:
    waiting = changed(opened(), "09:00", status="waiting")
    assert kinds(waiting, at("2026-12-01T12:00+01:00"), "resolution") == []


def test_when_something_was_last_done_is_kept() -> None:
    """Where nothing is promised, the ticket is looked at again some time after the last answer, not after the first."""
    terms = msgspec.structs.replace(
        LEVELS.terms("support", "medium"), first_response=None, next_response=None, resolution=None
    )
    moments: tuple[Moment, ...] = (Moment(kind="opened", at=EIGHT, terms=terms),)
    for clock, kind in (
        ("09:00", "answered"),
        ("10:00", "customer"),
        ("11:00", "answered"),
        ("12:00", "customer"),
    ):
        moments = noted(moments, Moment(kind=kind, at=monday(clock)))  # type: ignore[arg-type]
    # 24 hours of working time: six today, nine tomorrow, nine on Wednesday.
    assert fold(moments, LEVELS).next_action_at == at("2026-11-25T17:00+01:00")
