"""What people do with tickets. Every function checks what its viewer may see; what they may not see does not exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from contracts.errors import Refused
from contracts.membership import Membership
from contracts.ticket import Change, Ticket
from contracts.workspace import Workspace
from desk.auth import Role, Viewer
from desk.conversation import MessageView, fold, with_answers
from router import timing
from router.service_levels import ServiceLevels
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.postgres.answer_store import answers_of
from sinks.postgres.chat_sessions import end_of_ticket
from sinks.postgres.rows import StoredTicket, replace
from sinks.postgres.ticket_changes import change_ticket, pull_next, pulled_by, unsolved_of
from sinks.postgres.ticket_reads import AuditEntry, Decision, Page, TicketFilter, TicketReads, one_ticket

SettableStatus = Literal["open", "waiting", "solved"]
"""A ticket is new only until somebody takes it up."""


class TicketDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket with its conversation, why it is where it is, and what happened to it."""

    ticket: Ticket
    version: int
    conversation: list[MessageView]
    decisions: list[Decision]
    audit: list[AuditEntry]


class DepartmentCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Tickets of one department, by status."""

    department: str
    name: str
    new: int = 0
    open: int = 0
    waiting: int = 0
    solved: int = 0


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """The holder of the key. `pulled`: numbers that keep them from pulling the next ticket."""

    agent: str
    name: str | None
    role: Role
    departments: tuple[str, ...]
    unsolved: int
    pulled: list[int]


class Tickets:
    """The desk's use cases."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._reads = TicketReads(database)
        self._clock = clock

    async def page(self, viewer: Viewer, wanted: TicketFilter, cursor: str | None, limit: int) -> Page:
        """Tickets in the order in which they should be worked on."""
        return await self._reads.page(viewer.workspace, viewer.visible, wanted, cursor, limit)

    async def detail(self, viewer: Viewer, named: str) -> TicketDetail:
        """The ticket with this number or id."""
        history = await self._reads.history(viewer.workspace, viewer.visible, named)
        if history is None:
            raise not_found()
        return TicketDetail(
            ticket=history.stored.ticket,
            version=history.stored.version,
            conversation=with_answers(
                fold(history.messages),
                await answers_of(self._database, viewer.workspace, history.stored.ticket.id),
            ),
            decisions=history.decisions,
            audit=history.audit,
        )

    async def pull(self, viewer: Viewer) -> StoredTicket | None:
        """The next ticket for this agent, now theirs; None when none waits. Raises `PullLimit`."""
        async with self._database.transaction([viewer.workspace]) as connection:
            return await pull_next(
                connection,
                viewer.workspace,
                viewer.agent,
                viewer.departments,
                viewer.barred_categories,
                viewer.config.pull_limit,
                self._clock.now(),
            )

    async def assign(
        self, viewer: Viewer, named: str, agent: str | None, expected_version: int | None
    ) -> StoredTicket:
        """Gives the ticket to an agent of its department, or (None) back to the department's queue."""

        def mutate(ticket: Ticket) -> Ticket:
            if agent is not None and not may_hold(viewer.config, agent, ticket.department):
                raise Refused("unknown_agent", "not an agent of this department", status=422, field="agent")
            return replace(ticket, agent=agent)

        change: Change = "unassigned" if agent is None else "assigned"
        return await self._change(viewer, named, expected_version, change, mutate, "agent")

    async def set_status(
        self, viewer: Viewer, named: str, status: SettableStatus, expected_version: int | None
    ) -> StoredTicket:
        """Moves the ticket to another status."""

        def mutate(ticket: Ticket) -> Ticket:
            return replace(ticket, status=status)

        return await self._change(viewer, named, expected_version, "status_changed", mutate, "status")

    async def counts(self, viewer: Viewer) -> list[DepartmentCounts]:
        """Every department that the viewer may see, by id, with zeros where nothing is."""
        found = await self._reads.counts(viewer.workspace, viewer.visible)
        names = {department.id: department.name for department in viewer.config.departments}
        seen = set(names) if viewer.visible is None else set(names) & set(viewer.visible)
        return [
            DepartmentCounts(department=name, name=names.get(name, name), **found.get(name, {}))
            for name in sorted(seen | set(found))
        ]

    async def me(self, viewer: Viewer) -> Me:
        """The viewer, and what they hold."""
        async with self._database.transaction([viewer.workspace]) as connection:
            unsolved = await unsolved_of(connection, viewer.workspace, viewer.agent)
            pulled = await pulled_by(connection, viewer.workspace, viewer.agent)
        name = next((agent.name for agent in viewer.config.agents if agent.id == viewer.agent), None)
        return Me(
            agent=viewer.agent,
            name=name,
            role=viewer.role,
            departments=viewer.departments,
            unsolved=unsolved,
            pulled=pulled,
        )

    async def _change(
        self,
        viewer: Viewer,
        named: str,
        expected_version: int | None,
        change: Change,
        mutate: Callable[[Ticket], Ticket],
        field: Literal["agent", "status"],
    ) -> StoredTicket:
        detail: dict[str, Any] = {}

        def visibly(ticket: Ticket) -> Ticket:
            # Asked again under the lock: the ticket may have been transferred meanwhile.
            if not viewer.sees(ticket):
                raise not_found()
            changed = timing.changed(ticket, mutate(ticket), now, ServiceLevels(viewer.config))
            detail[field] = [getattr(ticket, field), getattr(changed, field)]
            return changed

        now = self._clock.now()
        async with self._database.transaction([viewer.workspace]) as connection:
            found = await one_ticket(connection, viewer.workspace, viewer.visible, named)
            if found is None:
                raise not_found()
            changed = await change_ticket(
                connection,
                viewer.workspace,
                found.ticket.id,
                expected_version,
                viewer.actor,
                change,
                visibly,
                detail,
                now,
            )
            if changed.ticket.status == "solved":
                await end_of_ticket(connection, viewer.workspace, changed.ticket.id, now)
            return changed


def may_hold(config: Workspace, agent: str, department: str) -> bool:
    """Members hold their department's tickets; leads and admins, and anybody where membership is not kept, any."""
    known = next(
        (candidate for candidate in config.agents if candidate.id == agent and candidate.active), None
    )
    if known is None:
        return False
    listed = any(d.id == department for d in config.departments)
    return not listed or known.role != "agent" or agent in Membership(config).members(department)


def not_found() -> Refused:
    """Also for what the viewer may not see."""
    return Refused("not_found", "no such ticket", status=404)
