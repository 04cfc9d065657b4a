"""What the desk shows of tickets. What a viewer may not see does not exist for them."""

from __future__ import annotations

from datetime import datetime

import msgspec

from contracts.errors import Refused
from contracts.membership import Membership
from contracts.ticket import Ticket
from contracts.workspace import Workspace
from desk.auth import Viewer
from desk.conversation import MessageView, fold, with_answers
from desk.seen import seen, seen_decision
from router import statuses
from runtime.postgres import Database
from sinks.postgres.answer_store import answers_of
from sinks.postgres.note_store import Note, notes_of
from sinks.postgres.queue_store import QueueState, queue_states
from sinks.postgres.ticket_reads import AuditEntry, Decision, Page, TicketFilter, TicketReads


class TicketDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A ticket with its conversation, why it is where it is, and what happened to it. `state`: its status as its department
    calls it; `moves`: where it may go from there."""

    ticket: Ticket
    version: int
    state: str
    moves: tuple[str, ...]
    conversation: list[MessageView]
    notes: list[Note]
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


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """What waits for an agent in one department, of one category (null: of none). `oldest`: since when the oldest ticket
    waits; `due`: the first deadline."""

    department: str
    category: str | None
    waiting: int
    oldest: datetime | None
    due: datetime | None


class Tickets:
    """The desk's use cases that change nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads = TicketReads(database)

    async def page(self, viewer: Viewer, wanted: TicketFilter, cursor: str | None, limit: int) -> Page:
        """Tickets in the order in which they should be worked on."""
        return await self._reads.page(viewer.workspace, viewer.visible, wanted, cursor, limit, viewer.agent)

    async def detail(self, viewer: Viewer, named: str) -> TicketDetail:
        """The ticket with this number or id."""
        history = await self._reads.history(viewer.workspace, viewer.visible, named, viewer.agent)
        if history is None:
            raise not_found()
        ticket = history.stored.ticket
        department = next((d for d in viewer.config.departments if d.id == ticket.department), None)
        return TicketDetail(
            ticket=seen(ticket, viewer.visible),
            version=history.stored.version,
            state=statuses.current(ticket, department),
            moves=statuses.allowed(ticket, department),
            conversation=with_answers(
                fold(history.messages),
                await answers_of(self._database, viewer.workspace, ticket.id),
            ),
            notes=await notes_of(self._database, viewer.workspace, ticket.id),
            decisions=[seen_decision(one, viewer.visible) for one in history.decisions],
            audit=history.audit,
        )

    async def counts(self, viewer: Viewer) -> list[DepartmentCounts]:
        """Every department that the viewer may see, by id, with zeros where nothing is."""
        found = await self._reads.counts(viewer.workspace, viewer.visible)
        names = {department.id: department.name for department in viewer.config.departments}
        seen = set(names) if viewer.visible is None else set(names) & set(viewer.visible)
        return [
            DepartmentCounts(department=name, name=names.get(name, name), **found.get(name, {}))
            for name in sorted(seen | set(found))
        ]

    async def trail(self, viewer: Viewer, named: str) -> list[AuditEntry]:
        """Everything that happened to a ticket, in order."""
        history = await self._reads.history(viewer.workspace, viewer.visible, named, viewer.agent)
        if history is None:
            raise not_found()
        return history.audit

    async def queues(self, viewer: Viewer) -> list[Queue]:
        """Of the departments that the viewer may see, those in which something waits."""
        found: list[QueueState] = await queue_states(self._database, viewer.workspace, viewer.visible)
        return [Queue(**state._asdict()) for state in found]


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
