"""What follows when something that linked people is worth nothing any more (trust model, I5 and I18): links end or come into
dispute, merges that rested on it are taken back, and whoever works on the tickets concerned is told. In the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from contracts import ids
from contracts.membership import Membership
from contracts.notification import Notification
from contracts.workspace import Workspace
from runtime.postgres import Connection
from sinks.postgres import identity_merges, identity_store, identity_withdrawal
from sinks.postgres.identity_rows import EventRow
from sinks.postgres.identity_withdrawal import ConcernedTicket, ProvenLink
from sinks.postgres.ticket_store import NoteRow, OutboxRow, Writes
from sinks.postgres.ticket_writes import write

_REASON: Literal["identity in doubt"] = "identity in doubt"


class Doubt(NamedTuple):
    """One decision. `cause` names it; `note` is what people read on the tickets."""

    workspace: UUID
    cause: UUID
    at: datetime
    actor: str
    reason: str
    note: str
    evidence: str | None = None

    def event(self, action: str, customer: UUID, link: ProvenLink | None = None) -> EventRow:
        """Its entry in the history: about a link, or about the merge of a customer."""
        kind, value = (link.kind, link.value) if link else (None, None)
        # Of one handle several may lose it at once.
        about = f"{value} {customer}" if link else str(customer)
        return EventRow(
            self.workspace,
            ids.identity_event_id(self.cause, action, kind or "customer", about),
            action,
            customer,
            kind,
            value,
            link.proof if link else None,
            self.at,
            link.message if link else None,
            evidence=self.evidence,
            actor=self.actor,
            reason=self.reason,
        )


async def undo(
    connection: Connection,
    config: Workspace,
    doubt: Doubt,
    action: Literal["revoked", "contested"],
    links: Sequence[ProvenLink],
    merged: Sequence[UUID],
) -> list[int]:
    """Ends the links that way, and takes the merges of these customers back. Each ticket of anybody concerned gets a note, and the
    queue of each that is not solved a notification. Returns the tickets' numbers."""
    workspace = doubt.workspace
    concerned = {link.customer for link in links} | set(merged)
    found = await identity_merges.roots(connection, [(workspace, one) for one in concerned])
    await identity_merges.lock(connection, [(workspace, root) for root in found.values()])
    for source in merged:
        await identity_merges.unmerge(connection, doubt.event("unmerged", source))
    await identity_store.write(connection, (), [doubt.event(action, link.customer, link) for link in links])
    # While they were merged, tickets were written to what they were merged into.
    tickets = await identity_withdrawal.tickets(connection, workspace, concerned | {*found.values()})
    await write(connection, _told(config, doubt, tickets))
    return [ticket.number for ticket in tickets]


def _told(config: Workspace, doubt: Doubt, tickets: Sequence[ConcernedTicket]) -> Writes:
    writes, membership = Writes(), Membership(config)
    silent = {department.id for department in config.departments if not department.notify}
    for ticket in tickets:
        note = ids.note_id(doubt.workspace, ticket.id, str(doubt.cause))
        writes.notes.append(NoteRow(doubt.workspace, note, ticket.id, doubt.actor, doubt.note, doubt.at))
        agents = membership.members(ticket.department)
        if ticket.status != "solved" and agents and ticket.department not in silent:
            writes.outbox.append(_notification(doubt, ticket, agents))
    return writes


def _notification(doubt: Doubt, ticket: ConcernedTicket, agents: tuple[str, ...]) -> OutboxRow:
    named = ids.notification_id(ids.note_id(doubt.workspace, ticket.id, str(doubt.cause)), ticket.department)
    told = Notification(
        notification_id=named,
        workspace=doubt.workspace,
        ticket_id=ticket.id,
        number=ticket.number,
        group=ticket.department,
        agents=agents,
        reason=_REASON,
        occurred_at=doubt.at,
        subject=ticket.subject,
    )
    kind = _REASON.replace(" ", "_")
    return OutboxRow.of("notification", ticket.id, named, kind, told, doubt.workspace, doubt.at)
