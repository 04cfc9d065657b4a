"""What rules send becomes rows of the ticket's own transaction: notifications for the relay, calls for the webhooks' caller, and
notes for whoever works on it. Their ids are their cause's, so that a cause handled twice sends once."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from contracts import ids
from contracts.base import Payload, encode
from contracts.notification import Notification
from contracts.ticket import Ticket
from router.rules import Verdict
from router.ruleset import RuleSet
from sinks.postgres.ticket_store import NoteRow, OutboxRow, WebhookCallRow, Writes

ACTOR = "rules"
"""As whom rules act."""

Reason = Literal["ticket created", "customer replied"]


class Sends(msgspec.Struct, frozen=True):
    """What goes out because of one cause. `cause`: the id of the message, or of the ticket's event; `told`: why the
    department that holds the ticket is told, None when it is not."""

    ticket: Ticket
    cause: UUID
    verdict: Verdict
    told: Reason | None = None
    message_id: UUID | None = None


def add_sends(
    writes: Writes, sends: Sends, rules: RuleSet, now: datetime, *, trace: str | None = None
) -> None:
    """Adds one notification a group, one call a webhook, and the notes for whoever works on the ticket."""
    for notification in _notifications(sends, rules, now):
        add_outbox(
            writes,
            "notification",
            notification.notification_id,
            sends.ticket,
            notification.reason.replace(" ", "_"),
            notification,
            now,
            trace,
        )
    workspace, ticket = sends.ticket.workspace, sends.ticket.id
    for text in sends.verdict.notes:
        note = ids.note_id(workspace, ticket, f"{sends.cause}:{text}")
        writes.notes.append(NoteRow(workspace, note, ticket, ACTOR, text, now))
    for name in sends.verdict.webhooks:
        if (webhook := rules.webhook(name)) is not None:
            call = ids.webhook_call_id(sends.cause, name)
            body = encode(
                {
                    "call_id": call,
                    "webhook": name,
                    "occurred_at": now,
                    "cause": sends.cause,
                    "ticket": sends.ticket,
                }
            )
            row = WebhookCallRow(sends.ticket.workspace, call, name, webhook.url, body.decode(), now)
            writes.webhook_calls.append(row)


def _notifications(sends: Sends, rules: RuleSet, now: datetime) -> list[Notification]:
    ticket, groups = sends.ticket, dict[str, Literal["ticket created", "customer replied", "rule"]]()
    if sends.told is not None and rules.tells(ticket.department):
        groups[ticket.department] = sends.told
    for group in sends.verdict.notify:
        groups.setdefault(group, "rule")
    return [
        Notification(
            notification_id=ids.notification_id(sends.cause, group),
            workspace=ticket.workspace,
            ticket_id=ticket.id,
            number=ticket.number,
            group=group,
            agents=(group,) if group in rules.agents else rules.members(group, None),
            reason=reason,
            occurred_at=now,
            subject=ticket.subject,
            message_id=sends.message_id,
        )
        for group, reason in groups.items()
    ]


def add_outbox(
    writes: Writes,
    aggregate: str,
    identity: UUID,
    ticket: Ticket,
    kind: str,
    payload: Payload,
    now: datetime,
    trace: str | None,
) -> None:
    """A row that the relay publishes under the ticket's key."""
    writes.outbox.append(
        OutboxRow.of(aggregate, ticket.id, identity, kind, payload, ticket.workspace, now, trace)
    )
