"""From plans to rows: what one batch of decisions writes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from contracts.base import encode
from contracts.inbound import InboundMessage
from contracts.outbound import OutboundMessage
from contracts.resolved import ResolvedMessage
from contracts.ticket import Cause, Ticket
from router.deadlines import starts_at
from router.facts import Plan, answered_key, is_echo
from router.refs import content, is_answered
from router.replies import compose
from router.ruleset import RuleSet
from router.sending import ACTOR as RULES
from router.sending import Reason, Sends, add_outbox, add_sends
from sinks.archive import REF
from sinks.postgres.chat_store import CHANNEL as CHAT
from sinks.postgres.rows import StoredTicket
from sinks.postgres.ticket_store import (
    AnswerRow,
    DecisionRow,
    DuplicateRow,
    MessageRow,
    TicketOwner,
    Writes,
)
from sinks.postgres.ticket_trail import add_change

ACTOR = "router"


def add_message(
    writes: Writes,
    resolved: ResolvedMessage,
    message: InboundMessage,
    plan: Plan | None,
    out_of_order: bool = False,
    rated: TicketOwner | None = None,
) -> None:
    """The terminal row of a message; `plan` is None for kinds that belong to no ticket by themselves. `rated`: the ticket
    that a rating is about."""
    at = resolved.position
    ticket = plan.ticket.id if plan else rated.ticket if rated else None
    customer = resolved.customer.id if resolved.customer else rated.customer if rated else None
    writes.archived |= {(message.workspace, message.message_id, digest) for digest in archived(message)}
    writes.messages.append(
        MessageRow(
            message.workspace,
            message.message_id,
            ticket,
            customer,
            message.channel,
            message.account,
            message.provider_id,
            message.kind,
            message.direction,
            message.target,
            message.raw.sha256 if message.raw else None,
            starts_at(message),
            message.received_at,
            out_of_order,
            at.topic,
            at.partition,
            at.offset,
            bytes(resolved.inbound).decode(),
            plan.placement.said if plan else content(message),
            plan.placement.duplicate_of if plan else None,
        )
    )


def archived(message: InboundMessage) -> set[str]:
    """The hashes of everything that the message has in the archive."""
    refs = [message.text_ref, message.quoted_text_ref, message.html_ref, message.raw and message.raw.ref]
    refs += [file.ref for file in message.attachments]
    return {ref.removeprefix(REF) for ref in refs if ref}


def add_duplicate(writes: Writes, resolved: ResolvedMessage, now: datetime) -> None:
    """The terminal row of another record of a message that is stored."""
    at = resolved.position
    writes.duplicates.append(DuplicateRow(at.topic, at.partition, at.offset, resolved.message_id, now))


def add_plan(
    writes: Writes,
    plan: Plan,
    before: StoredTicket | None,
    rules: RuleSet,
    keys: Sequence[bytes],
    now: datetime,
) -> None:
    """Ticket, decision, trail and event of one plan. `before`: the ticket as it was, None for a new one; `keys` sign the reply token of
    an automatic answer."""
    ticket, message, placement = plan.ticket, plan.placement.message, plan.placement
    key = (ticket.workspace, ticket.id)
    cause = Cause(
        actor=ACTOR,
        message_id=message.message_id,
        rule_set=rules.version,
        decision=plan.record,
        trace=message.trace,
    )
    detail: dict[str, Any] = {
        "message": message.message_id,
        "decision": message.message_id,
        "agent": ticket.agent,
    }
    if placement.verdict.notes:
        detail["notes"] = placement.verdict.notes
    pulled = before.pulled if before else False
    add_change(writes, before, ticket, placement.change, cause, detail, now, pulled)
    writes.refs |= {(ticket.workspace, kind, value, ticket.id) for kind, value in placement.refs}
    writes.participants |= {(*key, kind, value) for kind, value in placement.participants}
    record = encode(plan.record).decode()
    writes.decisions.append(
        DecisionRow(ticket.workspace, message.message_id, ticket.id, rules.version, now, record)
    )
    add_sends(writes, _sends(plan), rules, now, trace=message.trace)
    if placement.reply is not None:
        answer = compose(placement.reply, ticket, message, rules, keys, now)
        _add_answer(writes, answer, ticket, rules, message.trace)
        writes.answered[answered_key(ticket.workspace, placement.reply.to)] = now
    if plan.rotation:
        writes.rotations[plan.rotation[0]] = plan.rotation[1]
    if placement.opens and ticket.agent:
        writes.assigned[(ticket.workspace, ticket.agent)] = now


def _add_answer(
    writes: Writes, answer: OutboundMessage, ticket: Ticket, rules: RuleSet, trace: str | None
) -> None:
    """A chat is answered in the chat, which nobody has to transport."""
    identity, now = answer.outbound_id, answer.created_at
    if answer.channel == CHAT:
        where = (ticket.id, answer.channel, answer.account, answer.recipient)
        who = (RULES, rules.shown_name(ticket.department))
        writes.chat_answers.append(AnswerRow(ticket.workspace, identity, *where, *who, answer.text, now))
    else:
        add_outbox(writes, "outbound", identity, ticket, "automatic_reply", answer, now, trace)


def _sends(plan: Plan) -> Sends:
    """A new ticket and what its customer adds want the department; what an agent wrote elsewhere does not."""
    placement, message = plan.placement, plan.placement.message
    told: Reason | None = "ticket created" if placement.opens else "customer replied"
    if message.direction == "out" or is_echo(message) or is_answered(message):
        told = None
    return Sends(plan.ticket, message.message_id, placement.verdict, told, message.message_id)


def is_same_record(resolved: ResolvedMessage, topic: str, partition: int, offset: int) -> bool:
    """Whether this very record was stored before: reading it again is no duplicate."""
    at = resolved.position
    return (at.topic, at.partition, at.offset) == (topic, partition, offset)
