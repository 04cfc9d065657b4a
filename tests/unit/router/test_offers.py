"""Waiting tickets for agents who have come: in the queue's order, at most one an agent a round, up to capacity (decision 1)."""

from __future__ import annotations

from contracts.workspace import Agent, Department
from router.facts import Staff
from router.offers import rounds
from sinks.audit import GENESIS
from sinks.postgres.rows import StoredTicket
from tests.support import desk
from tests.support.routing import NOW, WORKSPACE, rule_set


def given(count: int, method: str, capacity: int | None, **said: str) -> list[str | None]:
    """Who gets `count` tickets, in the order of the queue; None: it goes on waiting."""
    rules = rule_set(
        agents=tuple(Agent(id=name, name=name, capacity=capacity) for name in ("ann", "ben", "cem")),
        departments=(
            Department(
                id="support",
                name="Support",
                calendar="std",
                sla="std",
                method=method,  # type: ignore[arg-type]
                members=("ann", "ben", "cem"),
            ),
        ),
    )
    waiting = [StoredTicket(desk.ticket("support", slug="test"), 1, False, GENESIS) for _ in range(count)]
    staff = Staff(said={(WORKSPACE, agent): presence for agent, presence in said.items()})
    got = {each.stored.ticket.id: each.found.agent for each in rounds(waiting, staff, rules, NOW)}
    return [got.get(each.ticket.id) for each in waiting]


def test_everybody_gets_one_before_anybody_gets_a_second() -> None:
    assert given(5, "round_robin", None) == ["ann", "ben", "cem", "ann", "ben"]
    assert given(5, "least_open", None) == ["ann", "ben", "cem", "ann", "ben"]


def test_no_more_than_there_is_room_for_and_the_rest_waits() -> None:
    assert given(4, "round_robin", 1, cem="away") == ["ann", "ben", None, None]


def test_nobody_there_is_nothing_given() -> None:
    assert given(2, "round_robin", None, ann="away", ben="offline", cem="away") == [None, None]
