"""Rules on stored tickets, after what people do and when time has come: what `router/effects.py` decides, written.

Call it in the transaction that holds the tickets' locks, after the change that is the cause is written. Who sets timers asks
`RuleSet.timed` which triggers by time there are; once a trigger is due for a ticket, it is asked here, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.base import decoder
from contracts.ids import ticket_event_id
from contracts.inbound import InboundMessage
from contracts.rules import METHODS
from contracts.ticket import Cause
from router import timing
from router.effects import Effects, react
from router.offers import moved_on, took
from router.roster import Opening, staff_for
from router.ruleset import RuleSet
from router.sending import ACTOR, Sends, add_sends
from router.staffing import Found, find
from router.subjects import Known
from runtime.postgres import Connection
from sinks.postgres import rule_store
from sinks.postgres.rows import StoredTicket, replace
from sinks.postgres.ticket_store import Key, Writes
from sinks.postgres.ticket_trail import add_change
from sinks.postgres.ticket_writes import write

_messages = decoder(InboundMessage)


@dataclass(frozen=True, slots=True)
class Reaction:
    """A ticket, locked and as it is stored by now, and the trigger whose rules are to be asked: `status changed`,
    `transferred`, or the `trigger` of a `Timed`."""

    stored: StoredTicket
    trigger: str
    rules: RuleSet

    @property
    def key(self) -> Key:
        return (self.stored.ticket.workspace, self.stored.ticket.id)


async def run_rules(
    connection: Connection, asked: Sequence[Reaction], now: datetime
) -> dict[Key, StoredTicket]:
    """The tickets that rules have changed, as they are stored then; those that no rule matched are not among them. One
    version a ticket, by the actor `rules`, with the record of why; each ticket at most once in `asked`."""
    wanted = [reaction for reaction in asked if reaction.rules.has(reaction.trigger)]
    if not wanted:
        return {}
    messages, tags = await _read(connection, wanted)
    answers = list[tuple[Reaction, Effects]]()
    for reaction in wanted:
        ticket = reaction.stored.ticket
        orders = ticket.context.orders if ticket.context else ()
        known = Known(ticket.trust, tags.get((ticket.workspace, ticket.customer), ()), orders)
        effects = react(
            reaction.trigger, ticket, reaction.rules, now, message=messages.get(reaction.key), known=known
        )
        if effects.anything:
            answers.append((reaction, effects))
    found = await _found(connection, answers, now)
    writes = Writes()
    changed = {
        reaction.key: _add(writes, reaction, effects, found.get(reaction.key), now)
        for reaction, effects in answers
    }
    await write(connection, writes)
    return changed


async def _found(
    connection: Connection, answers: Sequence[tuple[Reaction, Effects]], now: datetime
) -> dict[Key, Found]:
    """Somebody for each ticket that nobody has and that a rule gives by a method, in order."""
    asked = [
        (reaction, effects)
        for reaction, effects in answers
        if effects.assign in METHODS and effects.ticket.agent is None and effects.ticket.status != "solved"
    ]
    if not asked:
        return {}
    openings = [Opening(effects.ticket, reaction.rules, effects.assign) for reaction, effects in asked]
    staff, found = await staff_for(connection, openings), dict[Key, Found]()
    for reaction, effects in asked:
        one = found[reaction.key] = find(effects.ticket, staff, reaction.rules, now, effects.assign)
        if one.agent is not None:
            moved_on(staff, effects.ticket, one, now)
    return found


async def _read(
    connection: Connection, wanted: Sequence[Reaction]
) -> tuple[dict[Key, InboundMessage], dict[Key, tuple[str, ...]]]:
    payloads = await rule_store.opening_messages(connection, [reaction.key for reaction in wanted])
    messages = {key: _messages.decode(payload) for key, payload in payloads.items()}
    customers = [
        (reaction.key[0], reaction.stored.ticket.customer)
        for reaction in wanted
        if reaction.rules.reads("customer_tags")
    ]
    return messages, await (await rule_store.customer_tags(connection, customers))()


def _add(
    writes: Writes, reaction: Reaction, effects: Effects, found: Found | None, now: datetime
) -> StoredTicket:
    before, rules, ticket, record = reaction.stored, reaction.rules, effects.ticket, effects.record
    change = effects.change
    if found is not None:
        record = record | {"assignment": found.record}
        ticket = took(writes, ticket, found, rules, now)
        change = "assigned" if change == "noted" and found.agent is not None else change
    ticket = timing.changed(before.ticket, replace(ticket, updated_at=now), now, rules.levels)
    cause = Cause(actor=ACTOR, rule_set=rules.version, decision=record)
    pulled = before.pulled and ticket.agent == before.ticket.agent
    if ticket.agent and ticket.agent != before.ticket.agent:
        writes.assigned[(ticket.workspace, ticket.agent)] = now
    stored = add_change(writes, before, ticket, change, cause, _detail(record, effects), now, pulled)
    event = ticket_event_id(ticket.id, stored.version)
    add_sends(writes, Sends(ticket, event, effects.verdict), rules, now)
    return stored


def _detail(record: dict[str, Any], effects: Effects) -> dict[str, Any]:
    detail: dict[str, Any] = {"decision": record}
    return detail | ({"notes": effects.verdict.notes} if effects.verdict.notes else {})
