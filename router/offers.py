"""Waiting tickets of push methods for agents who have become able to take some: after a change of presence or capacity."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from contracts.ticket import Cause, Ticket
from router.facts import Staff
from router.leases import leased
from router.roster import Opening, staff_for
from router.ruleset import RuleSet
from router.staffing import Found, find
from runtime.postgres import Connection, Database
from sinks.postgres import queue_store
from sinks.postgres.queue_store import Share
from sinks.postgres.rows import StoredTicket, replace
from sinks.postgres.ticket_store import Writes
from sinks.postgres.ticket_trail import add_change
from sinks.postgres.ticket_writes import write

ACTOR = "router"
_DEPTH = 50
"""Tickets of one queue that are offered in one transaction."""
_MOST = 500


class Given(NamedTuple):
    """A waiting ticket, and who gets it."""

    stored: StoredTicket
    found: Found


async def offer(database: Database, workspace: UUID, rules: RuleSet, now: datetime) -> int:
    """Gives waiting tickets to agents who are there and have room, until there is nobody or nothing; how many were given.
    Any number may do so at once: a ticket that another one is offering is passed over."""
    given = 0
    while True:
        async with database.transaction([workspace]) as connection:
            taken, count = await _offer(connection, workspace, rules, now)
        given += count
        if not count or count < taken:
            return given


async def _offer(connection: Connection, workspace: UUID, rules: RuleSet, now: datetime) -> tuple[int, int]:
    """Tickets looked at, and given away, in one transaction."""
    waiting = [pair for pair in await queue_store.pairs(connection, workspace) if _is_pushed(*pair, rules)]
    shares = [Share(*pair) for pair in waiting]
    stored = await queue_store.take_offered(connection, workspace, shares, _DEPTH, _MOST)
    if not stored:
        return 0, 0
    staff = await staff_for(connection, [Opening(each.ticket, rules) for each in stored])
    given = rounds(stored, staff, rules, now)
    if given:
        await write(connection, _writes(given, rules, now))
    return len(stored), len(given)


def rounds(stored: Sequence[StoredTicket], staff: Staff, rules: RuleSet, now: datetime) -> list[Given]:
    """Pure. In the order of the queue, at most one an agent a round, and rounds until nobody has room."""
    given, left = list[Given](), list(stored)
    while left:
        this_round = set[str]()
        kept = []
        for each in left:
            found = find(each.ticket, staff, rules, now, passed=this_round)
            if found.agent is None:
                kept.append(each)
                continue
            this_round.add(found.agent)
            given.append(Given(each, found))
            moved_on(staff, each.ticket, found, now)
        if not this_round:
            return given
        left = kept
    return given


def moved_on(staff: Staff, ticket: Ticket, found: Found, now: datetime) -> None:
    """The staff after a ticket of the queue was given to whom `find` had found."""
    if found.rotation:
        staff.rotations[found.rotation[0]] = found.rotation[1]
    assert found.agent is not None
    staff.took(replace(ticket, agent=found.agent), found.weight)
    staff.last_assigned[(ticket.workspace, found.agent)] = now
    queue = (ticket.workspace, ticket.department)
    staff.waiting[queue] = max(0, staff.waiting.get(queue, 0) - 1)


def took(writes: Writes, ticket: Ticket, found: Found, rules: RuleSet, now: datetime) -> Ticket:
    """The ticket with whom `find` found for it, if anybody; writes when they got it, and the turns after."""
    if found.rotation is not None:
        writes.rotations[found.rotation[0]] = found.rotation[1]
    if found.agent is None:
        return ticket
    writes.assigned[(ticket.workspace, found.agent)] = now
    return leased(replace(ticket, agent=found.agent), rules, now)


def _writes(given: Sequence[Given], rules: RuleSet, now: datetime) -> Writes:
    writes = Writes()
    for stored, found in given:
        ticket = took(writes, replace(stored.ticket, updated_at=now), found, rules, now)
        cause = Cause(actor=ACTOR, rule_set=rules.version, decision={"assignment": found.record})
        detail = {"agent": [None, found.agent], "assignment": found.record}
        add_change(writes, stored, ticket, "assigned", cause, detail, now)
    return writes


def _is_pushed(department: str, category: str | None, rules: RuleSet) -> bool:
    known = rules.department(department)
    if known is None or known.id != department or not known.to_solve:
        return False
    return rules.method(department, category) != "queue"
