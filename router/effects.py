"""What rules do to a ticket that is there: the interface of timers and of what people do.

`react(trigger, ticket, rules, now, …)` is pure. It asks the rules that have this trigger and returns the ticket after them
with the record of why; `router/reactions.py` does the same on a stored ticket, and writes it. Rules that answer a change of
rules are not asked: one cause, one round.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from contracts.inbound import InboundMessage
from contracts.rules import METHODS, NOBODY
from contracts.ticket import Change, Priority, Status, Ticket
from router import rules as rule_engine
from router.rules import Verdict
from router.ruleset import RuleSet
from router.subjects import Known


@dataclass(frozen=True, slots=True)
class Effects:
    """`ticket`: after the rules, equal to the one before when they changed nothing. `change` is the weightiest of what they
    did. `assign`: an agent, `nobody` or a method that the ticket is to be given by; None: it keeps whom it has. What leaves
    the system (notices, an answer, webhooks) is in `verdict`. `record` names the rule set and every rule that matched; it is
    empty when none did.

    The deadlines are as they were: whoever writes works them out anew (`timing.changed`)."""

    ticket: Ticket
    change: Change
    assign: str | None
    verdict: Verdict
    record: dict[str, Any]

    @property
    def anything(self) -> bool:
        """Whether some rule matched."""
        return bool(self.verdict.matched)


def react(
    trigger: str,
    ticket: Ticket,
    rules: RuleSet,
    now: datetime,
    *,
    message: InboundMessage | None = None,
    known: Known | None = None,
) -> Effects:
    """Asks the rules of one trigger. `trigger` is the rule's own `when`: `status changed` and `transferred` after what people
    do (hand in the ticket as it is after that); by time those of `rules.timed`, each with `Timed.trigger`. `message`: the one
    that opened the ticket, for conditions over texts, sender and form. `known`: what is known of the customer."""
    known = known or Known(trust=ticket.trust)
    verdict = rule_engine.run(
        rules.subject(message, ticket, known, now), rules, (trigger,), current=ticket.department
    )
    record = {"rule_set": rules.version, "now": now.isoformat(), "trigger": trigger, "rules": verdict.matched}
    after, assign, change = applied(ticket, verdict, rules)
    return Effects(after, change, assign, verdict, record if verdict.matched else {})


def applied(ticket: Ticket, verdict: Verdict, rules: RuleSet) -> tuple[Ticket, str | None, Change]:
    """The ticket with what the verdict wants; whom it is to be given to; and what to call the change. A transfer takes it
    from an agent who is no member, unless a rule names somebody."""
    wants = verdict.wants
    changes: dict[str, Any] = {}
    department = wants.get("department", ticket.department)
    category = rules.category(wants.get("category"))
    if category is not None:
        changes |= {"category": category.path, "category_id": category.id}
    elif department != ticket.department:
        changes |= {"category": None, "category_id": None}
    changes |= {"department": department, "sla": wants.get("sla", ticket.sla)}
    changes["priority"] = _priority(wants.get("priority"), ticket)
    changes["status"] = _status(wants.get("status"), ticket)
    changes["tags"] = (*ticket.tags, *(tag for tag in verdict.tags if tag not in ticket.tags))
    assign, agent = wants.get("assign"), ticket.agent
    if assign == NOBODY or (assign is None and department != ticket.department):
        members = rules.members(department, category.path if category else None)
        agent = agent if assign is None and agent in members else None
    elif assign is not None and assign not in METHODS:
        agent = assign if assign in rules.agents and rules.agents[assign].present else agent
    changes |= {"agent": agent, "queue": None if agent else department}
    changes["held_back"] = agent is None and (assign == NOBODY or (assign is None and ticket.held_back))
    after = msgspec.structs.replace(ticket, **changes)
    return after, assign, _change(ticket, after)


def _priority(wanted: str | None, ticket: Ticket) -> Priority:
    return wanted or ticket.priority  # type: ignore[return-value]


def _status(wanted: str | None, ticket: Ticket) -> Status:
    return wanted or ticket.status  # type: ignore[return-value]


_CHANGES: tuple[tuple[str, Change], ...] = (
    ("department", "transferred"),
    ("status", "status_changed"),
    ("agent", "assigned"),
    ("category", "categorised"),
    ("priority", "prioritised"),
)


def _change(before: Ticket, after: Ticket) -> Change:
    for field, change in _CHANGES:
        if getattr(before, field) != getattr(after, field):
            return "unassigned" if field == "agent" and after.agent is None else change
    return "noted"


def triggers_of(message_opens: bool, by_customer: bool) -> Collection[str]:
    """Which triggers a message is."""
    if message_opens:
        return ("message received", "ticket created")
    return ("message received", "customer replied") if by_customer else ("message received",)
