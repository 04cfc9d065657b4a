"""The frame of whatever people do to one ticket: who may, the lock, the version, the write, and what follows from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contracts.errors import Refused
from contracts.ticket import Change, Ticket
from desk.auth import Viewer, acting
from desk.tickets import not_found
from router import timing
from router.leases import leased
from router.offers import offer
from router.reactions import Reaction, run_rules
from router.ruleset import RuleSet
from router.rulesets import RuleSets
from router.staffing import Found
from runtime.clock import Clock
from runtime.postgres import Connection, Database
from sinks.postgres.chat_sessions import end_of_ticket
from sinks.postgres.rows import StoredTicket, due_at
from sinks.postgres.ticket_changes import write_change
from sinks.postgres.ticket_reads import one_ticket

_TRIGGERS: dict[Change, str] = {"status_changed": "status changed", "transferred": "transferred"}
"""What rules may answer, in the transaction of the change."""


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does: the ticket after it, what to call it, and the detail for the trail. `pulled`: taken by pull-next;
    `found`: the agent was looked for. `always`: it is worth a version though the snapshot is the same (a note)."""

    ticket: Ticket
    change: Change
    detail: dict[str, Any] = field(default_factory=dict)
    pulled: bool = False
    found: Found | None = None
    always: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """What an act may look at: the ticket under its lock, and the configuration in force."""

    connection: Connection
    viewer: Viewer
    stored: StoredTicket
    rules: RuleSet
    now: datetime

    @property
    def ticket(self) -> Ticket:
        return self.stored.ticket


class Changes:
    """One transaction a change: the ticket is locked first, rotations and agents by the act, in that order."""

    def __init__(self, database: Database, clock: Clock, rules: RuleSets) -> None:
        self._database = database
        self._clock = clock
        self._rules = rules

    def rules(self, viewer: Viewer) -> RuleSet:
        """Those in force for the viewer's workspace, whose configuration their key has just loaded."""
        found = self._rules.get(viewer.workspace)
        assert found is not None
        return found

    async def make(
        self,
        viewer: Viewer,
        named: str,
        expected_version: int | None,
        act: Callable[[Scene], Awaitable[Act]],
    ) -> StoredTicket:
        """Does it, and returns the ticket as it is then; one that is as it was is left alone.

        Raises `Refused`: 404 for what the viewer may not see, what the act refuses, and 412 for another version than the
        expected one, which is compared last, so that it tells nothing to somebody who is turned away.
        """
        rules, now = self.rules(viewer), self._clock.now()
        async with acting(self._database, viewer) as connection:
            stored = await one_ticket(
                connection, viewer.workspace, viewer.visible, named, viewer.agent, locked=True
            )
            if stored is None:
                raise not_found()
            acted = await act(Scene(connection, viewer, stored, rules, now))
            if expected_version is not None and expected_version != stored.version:
                raise Refused("version_conflict", f"the ticket is at version {stored.version}", status=412)
            if acted.ticket == stored.ticket and not acted.always:
                return stored
            changed = await _write(connection, viewer, stored, acted, rules, now)
        left_by_rules = changed.version > stored.version + 1 and changed.ticket.agent is None
        if left_by_rules or _frees(stored.ticket, changed.ticket, rules):
            await offer(self._database, viewer.workspace, rules, now)
        return changed


async def _write(
    connection: Connection, viewer: Viewer, stored: StoredTicket, acted: Act, rules: RuleSet, now: datetime
) -> StoredTicket:
    ticket = timing.changed(stored.ticket, acted.ticket, now, rules.levels)
    detail = acted.detail
    if due_at(ticket) != due_at(stored.ticket):
        detail = detail | {"due": [due_at(stored.ticket), due_at(ticket)]}
    if ticket.agent != stored.ticket.agent or ticket.agent == viewer.agent:
        # A new holder has all the time, and so has one who does something.
        ticket = leased(ticket, rules, now)
    changed = await write_change(
        connection,
        stored,
        ticket,
        actor=viewer.actor,
        change=acted.change,
        detail=detail,
        now=now,
        pulled=acted.pulled or (stored.pulled and ticket.agent == stored.ticket.agent),
        rotation=acted.found.rotation if acted.found else None,
    )
    if (trigger := _TRIGGERS.get(acted.change)) is not None:
        reacted = await run_rules(connection, [Reaction(changed, trigger, rules)], now)
        changed = reacted.get((ticket.workspace, ticket.id), changed)
    if changed.ticket.status == "solved":
        await end_of_ticket(connection, viewer.workspace, changed.ticket.id, now)
    return changed


def _frees(before: Ticket, after: Ticket, rules: RuleSet) -> bool:
    """Whether somebody has room now who had none: agents without a capacity always have."""
    known = rules.agents.get(before.agent or "")
    if known is None or known.capacity is None or before.status == "solved":
        return False
    return after.agent != before.agent or after.status == "solved"
