"""A department's own process (R-28): where a ticket stands in it, and where it may go."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.workspace import Department, DepartmentStatus
from router import statuses
from tests.support.desk import ticket

PLAIN = Department(id="support", name="Support", calendar="std", sla="std")
RETURNS = Department(
    id="returns",
    name="Returns",
    calendar="std",
    sla="std",
    statuses=(
        DepartmentStatus(name="new", means="new", next=("checking", "awaiting parcel")),
        DepartmentStatus(name="checking", means="open", next=("awaiting parcel", "refused")),
        DepartmentStatus(name="awaiting parcel", means="waiting", next=("refunded",)),
        DepartmentStatus(name="refunded", means="solved"),
        DepartmentStatus(name="refused", means="solved"),
    ),
)


def at(**changes: Any) -> Any:
    return ticket("returns", **changes)


def test_a_ticket_goes_the_way_of_its_department() -> None:
    parcel = statuses.moved(at(), RETURNS, "awaiting parcel")
    assert (parcel.status, parcel.step) == ("waiting", "awaiting parcel")
    done = statuses.moved(parcel, RETURNS, "refunded")
    assert (done.status, done.step) == ("solved", "refunded")
    assert statuses.moved(done, RETURNS, "refunded") == done


@pytest.mark.parametrize(
    ("department", "given", "wanted", "allowed"),
    [
        (RETURNS, {}, "refunded", ("checking", "awaiting parcel")),
        (RETURNS, {}, "solved", ("checking", "awaiting parcel")),
        (RETURNS, {"status": "solved", "step": "refunded"}, "checking", ()),
        (PLAIN, {}, "refunded", ("open", "waiting", "solved")),
        (PLAIN, {}, "new", ("open", "waiting", "solved")),
        (None, {}, "new", ("open", "waiting", "solved")),
    ],
)
def test_other_ways_are_refused_with_those_that_are_open(
    department: Department | None, given: dict[str, Any], wanted: str, allowed: tuple[str, ...]
) -> None:
    with pytest.raises(statuses.NotAllowed) as refused:
        statuses.moved(at(**given), department, wanted)
    assert refused.value.allowed == allowed
    assert (refused.value.status, refused.value.field) == (422, "status")


def test_a_step_that_does_not_mean_the_status_is_as_none() -> None:
    # A reply of the customer woke it.
    woken = at(status="open", step="awaiting parcel")
    assert statuses.current(woken, RETURNS) == "checking"
    assert statuses.allowed(woken, RETURNS) == ("awaiting parcel", "refused")
    assert statuses.current(at(status="solved", step="refused"), RETURNS) == "refused"
    assert statuses.current(at(status="solved"), RETURNS) == "refunded"


def test_waiting_is_the_first_move_that_means_so() -> None:
    assert statuses.waiting(at(), RETURNS).step == "awaiting parcel"
    assert statuses.waiting(at(), PLAIN).status == "waiting"
    waits = at(status="waiting")
    assert statuses.waiting(waits, RETURNS) is waits
    with pytest.raises(statuses.NotAllowed):
        statuses.waiting(at(status="solved", step="refunded"), RETURNS)


def test_taking_up_opens_what_is_new_and_nothing_else() -> None:
    assert statuses.taken_up(at()).status == "open"
    assert statuses.taken_up(at(status="waiting", step="awaiting parcel")).step == "awaiting parcel"
