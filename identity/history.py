"""What a plan adds to the history of links, with its evidence (trust model, I9)."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from contracts import ids
from contracts.proofs import said_by
from identity.decide import Plan
from identity.evidence import Observation, source
from sinks.postgres.identity_rows import EventRow, MergeRow


def link_events(plan: Plan) -> Iterator[EventRow]:
    """One for each link that the plan writes."""
    for link in plan.links:
        yield _event(plan, link.action, link.customer, link.observation, link.other)


def merge_events(plan: Plan) -> Iterator[MergeRow]:
    """The merge that the plan makes, if any."""
    if plan.merge is not None:
        event = _event(plan, "merged", plan.merge.source, plan.merge.by, plan.merge.target)
        actor = event.actor or "identity"
        yield MergeRow(event._replace(actor=actor, reason="verified_on_both_sides"), automatic=True)


def _event(plan: Plan, action: str, customer: UUID, shown: Observation, other: UUID | None) -> EventRow:
    message = plan.message
    workspace, kind, value = shown.key
    actor, reason = said_by(message)
    # Of one handle several may lose it at once.
    about = f"{value} {customer}" if action == "revoked" else value
    return EventRow(
        workspace,
        ids.identity_event_id(message.message_id, action, kind, about),
        action,
        customer,
        kind,
        value,
        shown.proof,
        message.received_at,
        message.message_id,
        other,
        source(message),
        shown.evidence,
        actor,
        reason,
    )
