"""Deciding again from a decision record: the same message, facts, rule set and moment must give the same bytes."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from contracts.inbound import InboundMessage
from contracts.resolved import Context, ResolvedMessage
from contracts.ticket import Ticket
from router import continuity
from router.decide import assign, place
from router.facts import Facts, TicketFacts, Twin, answered_key, customer_of
from router.refs import content
from router.replies import addressee
from router.ruleset import RuleSet
from router.staffing import staff_of

_SOMEBODY = UUID(int=0)
"""Whose the tickets of others are need not be known."""


def again(
    record: dict[str, Any], resolved: ResolvedMessage, message: InboundMessage, rules: RuleSet
) -> dict[str, Any]:
    """The record, decided anew. `rules`: of the version that the record names, or others to see what they would do."""
    now = datetime.fromisoformat(record["now"])
    known = msgspec.convert(record.get("context", {}), Context)
    resolved = msgspec.structs.replace(
        resolved, **{name: getattr(known, name) for name in known.__struct_fields__}
    )
    placement = place(resolved, message, _facts(record, resolved, message, rules), rules, now)
    return assign(placement, staff_of(record.get("assignment", {}), placement.ticket), rules).record


def _facts(
    record: dict[str, Any], resolved: ResolvedMessage, message: InboundMessage, rules: RuleSet
) -> Facts:
    """The tickets that were considered, as far as the decision read them."""
    facts = Facts()
    if tags := record.get("read", {}).get("customer_tags"):
        facts.tags[(message.workspace, customer_of(resolved).id)] = tuple(tags)
    last, to = record.get("auto_reply", {}).get("last"), addressee(message, rules)
    if last is not None and to is not None:
        facts.answered[answered_key(message.workspace, to)] = datetime.fromisoformat(last)
    customer = customer_of(resolved).id
    for seen in record["continuity"].get("considered", ()):
        ticket = Ticket(
            id=UUID(seen["ticket"]),
            number=seen["number"],
            workspace=message.workspace,
            customer=customer if seen["own"] else _SOMEBODY,
            trust=seen["trust"],
            channel=seen["channel"],
            account=message.account,
            store=seen["store"],
            **_stood(record["continuity"], seen["ticket"]),
            status=seen["status"],
            created_at=datetime.fromisoformat(seen["created_at"]),
            updated_at=datetime.fromisoformat(seen["updated_at"]),
        )
        people = frozenset(continuity.senders(message)) if seen["takes_part"] else frozenset()
        facts.tickets[ticket.id] = TicketFacts(ticket, 1, people)
        _name(facts, ticket, message, customer, *seen["ref"])
    return facts


def _name(
    facts: Facts, ticket: Ticket, message: InboundMessage, customer: UUID, kind: str, value: str
) -> None:
    """Puts the ticket where the reference is looked up."""
    if kind == "twin" and (said := content(message)):
        twin = Twin(UUID(value), ticket.id, message.received_at)
        facts.twins[(message.workspace, said)] = twin
        return
    if kind in ("order", "customer"):
        # The customer had more ids than one, or this is the one.
        member = UUID(value.partition(":")[0])
        family = dict.fromkeys((*facts.family(message.workspace, customer), member))
        facts.families[(message.workspace, customer)] = tuple(family)
    key = (message.workspace, kind, value)
    facts.by_ref[key] = (*facts.by_ref.get(key, ()), ticket.id)


def _stood(continuity: dict[str, Any], ticket: str) -> dict[str, Any]:
    """Of the ticket that was joined, what rules could read; of the others nothing was."""
    if ticket != continuity.get("ticket"):
        return {"department": "", "priority": "medium"}
    stood: dict[str, Any] = continuity["stood"]
    return stood | {"tags": tuple(stood["tags"])}
