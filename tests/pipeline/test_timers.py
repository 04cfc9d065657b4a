"""Timers on real Postgres: told once, whoever looks and whatever the clock does; one indexed query over many tickets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from prometheus_client import REGISTRY

from contracts.rules import Actions, Rule
from contracts.ticket import Cause, Ticket, TicketEvent
from contracts.workspace import Agent, Workspace
from router import timing
from router.rule_timers import RuleTimers
from router.service_levels import ServiceLevels
from router.timers import DeadlineTimers
from runtime.clock import Clock
from runtime.postgres import Connection, Database
from sinks.postgres.config_store import ConfigStore
from sinks.postgres.rows import StoredTicket
from sinks.postgres.sql import queries
from sinks.postgres.ticket_store import Writes, lock_tickets
from sinks.postgres.ticket_trail import add_change
from sinks.postgres.ticket_writes import write
from sinks.postgres.timer_store import Timer, claim_timers, due_timers, set_timers
from tests.support import desk as shop
from tests.support.routing import workspace
from tests.support.system import Dsns

MONDAY = datetime(2026, 11, 23, 7, tzinfo=UTC)
"""08:00 in Warsaw: medium tickets are due at 11:00."""


def after(hours: float) -> datetime:
    return MONDAY + timedelta(hours=hours)


class Store:
    """Tickets of one workspace, and what became of them."""

    def __init__(self, database: Database, config: Workspace, identity: UUID) -> None:
        self.database, self.workspace, self.levels = database, identity, ServiceLevels(config)

    async def open(self, **given: Any) -> Ticket:
        bare = shop.ticket("support", due=None, **given)
        bare = msgspec.structs.replace(bare, workspace=self.workspace, created_at=MONDAY, updated_at=MONDAY)
        ticket = timing.opened(bare, MONDAY, self.levels)
        async with self.database.transaction() as connection:
            writes = Writes()
            add_change(writes, None, ticket, "created", Cause(actor="router"), {}, MONDAY)
            await write(connection, writes)
        return ticket

    async def change(self, ticket: Ticket, at: datetime, wrote: Any = None, **fields: Any) -> None:
        async with self.database.transaction() as connection:
            stored = await self._stored(connection, ticket)
            changed = msgspec.structs.replace(stored.ticket, **fields)
            changed = timing.changed(stored.ticket, changed, at, self.levels, wrote)
            writes = Writes()
            add_change(writes, stored, changed, "status_changed", Cause(actor="agent:ann"), {}, at)
            await write(connection, writes)

    async def tick(self, hours: float) -> None:
        await DeadlineTimers(self.database, Clock(after(hours))).tick()

    async def events(self, ticket: Ticket) -> list[TicketEvent]:
        """What the outbox holds of it, in order, without its creation."""
        query = "SELECT payload FROM outbox WHERE aggregateid = %s ORDER BY seq"
        rows = await self.database.fetch((), query, (ticket.id,))
        events = [msgspec.json.decode(payload, type=TicketEvent) for (payload,) in rows]
        assert [event.version for event in events] == list(range(1, len(events) + 1))
        return events[1:]

    async def told(self, ticket: Ticket) -> list[tuple[str, str | None]]:
        return [(event.change, event.cause.clock) for event in await self.events(ticket)]

    async def _stored(self, connection: Connection, ticket: Ticket) -> StoredTicket:
        return (await lock_tickets(connection, [(self.workspace, ticket.id)]))[(self.workspace, ticket.id)]


@asynccontextmanager
async def opened(database: Dsns, *rules: Rule) -> AsyncIterator[Store]:
    config = workspace(*rules)
    lead = Agent(id="lea", name="Lea", role="lead")
    config = msgspec.structs.replace(config, agents=(*config.agents, lead))
    async with Database(database.system) as system:
        identity = await ConfigStore(system).apply(
            config, "0123456789abcdef", "test", MONDAY - timedelta(days=1)
        )
        yield Store(system, config, identity)


@pytest.fixture
async def store(database: Dsns) -> AsyncIterator[Store]:
    async with opened(database) as found:
        yield found


FIRST = "first_response"
MISSED = [("sla_risk", FIRST), ("sla_breached", FIRST), ("escalated", FIRST)]


async def test_one_warning_one_breach_and_one_escalation(store: Store) -> None:
    late, answered = await store.open(), await store.open()
    await store.tick(2.74)
    assert await store.told(late) == []
    await store.tick(2.75)
    assert await store.told(late) == MISSED[:1]
    await store.change(answered, after(2.8), "agent")
    await store.tick(3)
    await store.tick(30)
    assert await store.told(late) == MISSED
    assert await store.told(answered) == [("sla_risk", FIRST), ("status_changed", None)]
    *_, escalation = await store.events(late)
    assert (escalation.cause.actor, escalation.cause.escalated_to) == ("timer", ("lea",))
    trail = "SELECT version, action, actor FROM audit WHERE ticket_id = %s ORDER BY version"
    assert await store.database.fetch((), trail, (late.id,)) == [
        (1, "created", "router"),
        (2, "sla_risk", "timer"),
        (3, "sla_breached", "timer"),
        (4, "escalated", "timer"),
    ]


async def test_a_ticket_answered_before_the_warning_hears_of_nothing(store: Store) -> None:
    ticket = await store.open()
    await store.change(ticket, after(1), "agent")
    await store.tick(100)
    assert await store.told(ticket) == [("status_changed", None)]
    assert await store.database.fetch((), "SELECT * FROM timers") == []


async def test_clocks_that_jump_tell_nothing_twice(store: Store) -> None:
    ticket = await store.open()
    for hours in (24, 0, 2.8, 24, -24, 1000):
        await store.tick(hours)
    assert await store.told(ticket) == MISSED


async def test_many_processes_at_once_tell_it_once(store: Store) -> None:
    tickets = [await store.open() for _ in range(10)]
    breaches = {"department": "support", "kind": FIRST}
    before = REGISTRY.get_sample_value("frontdesk_sla_breaches_total", breaches) or 0
    await asyncio.gather(*(store.tick(4) for _ in range(4)))
    for ticket in tickets:
        assert await store.told(ticket) == MISSED
    assert REGISTRY.get_sample_value("frontdesk_sla_breaches_total", breaches) == before + 10


async def test_another_deadline_is_another_matter(store: Store) -> None:
    ticket = await store.open()
    await store.tick(4)
    await store.change(ticket, after(4), priority="low")
    await store.tick(10)
    assert await store.told(ticket) == [*MISSED, ("status_changed", None), *MISSED]


async def test_what_was_missed_while_nobody_looked_and_done_since_is_told_without_an_escalation(
    store: Store,
) -> None:
    ticket = await store.open()
    await store.change(ticket, after(3.5), "agent")
    await store.tick(4)
    assert await store.told(ticket) == [("status_changed", None), ("sla_breached", FIRST)]


async def test_rules_by_time_are_asked_once_for_each_deadline_and_each_wait(database: Dsns) -> None:
    def rule(when: str, tag: str) -> Rule:
        return Rule(id=tag, name=tag, when=when, actions=Actions(tags=(tag,)))

    rules = (
        rule("before deadline by 30 minutes", "soon"),
        rule("unassigned for 2 hours", "waits"),
        rule("breached", "late"),
    )
    async with opened(database, *rules) as store:
        waiting = await store.open()
        held = await store.open(agent="ann", queue=None, status="open")

        async def tags(hours: float) -> list[tuple[str, ...]]:
            for _ in range(2):
                await RuleTimers(store.database, Clock(after(hours))).tick()
            return [(await store.events(ticket) or [None])[-1] for ticket in (waiting, held)]  # type: ignore[misc]

        assert await tags(1.9) == [None, None]
        assert [e and e.ticket.tags for e in await tags(2)] == [("waits",), None]
        assert [e and e.ticket.tags for e in await tags(2.5)] == [("waits", "soon"), ("soon",)]
        last = await tags(3)
        assert [e and e.ticket.tags for e in last] == [("waits", "soon", "late"), ("soon", "late")]
        assert [e and (e.version, e.cause.actor) for e in last] == [(4, "rules"), (3, "rules")]


async def test_any_kind_of_timer_is_claimed_once_and_given_back_by_a_lost_transaction(store: Store) -> None:
    key = (store.workspace, "shift", "ann")
    async with store.database.transaction() as connection:
        await set_timers(connection, {key: after(1), (store.workspace, "shift", "ben"): after(9)})
    assert await _due(store, 0.5) == []
    timer = Timer(*key, after(1))
    with pytest.raises(RuntimeError):
        await _claim_and_fail(store, timer)
    assert await _due(store, 1) == [timer]
    async with store.database.transaction() as connection:
        assert await claim_timers(connection, [timer]) == [timer]
    async with store.database.transaction() as connection:
        assert await claim_timers(connection, [timer]) == []
    async with store.database.transaction() as connection:
        await set_timers(connection, {(store.workspace, "shift", "ben"): None})
    assert await _due(store, 100) == []


async def _claim_and_fail(store: Store, timer: Timer) -> None:
    async with store.database.transaction() as connection:
        assert await claim_timers(connection, [timer]) == [timer]
        raise RuntimeError


async def _due(store: Store, hours: float) -> list[Timer]:
    async with store.database.transaction() as connection:
        return await due_timers(connection, "shift", after(hours), 10)


async def test_what_is_due_among_a_hundred_thousand_tickets_is_one_look_at_an_index(database: Dsns) -> None:
    async with Database(database.owner) as owner, owner.transaction() as connection:
        await connection.execute(
            "INSERT INTO timers SELECT %s, 'deadlines', n::text, %s + n * interval '1 second'"
            " FROM generate_series(1, 100000) n",
            (uuid4(), MONDAY),
        )
        await connection.execute("ANALYZE timers")
        wanted = {"kind": "deadlines", "now": MONDAY + timedelta(seconds=50), "limit": 200}
        explained = "EXPLAIN (ANALYZE, FORMAT JSON) " + queries("timers")["due_timers"]
        ((plan,),) = await (await connection.execute(explained, wanted)).fetchall()  # type: ignore[arg-type]
        found = _node(plan[0]["Plan"], "timers_due")
        assert found is not None, plan
        assert found["Actual Rows"] == 50
        assert found.get("Rows Removed by Filter", 0) == 0


def _node(plan: dict[str, Any], index: str) -> dict[str, Any] | None:
    if plan.get("Index Name") == index:
        return plan
    return next((found for part in plan.get("Plans", ()) if (found := _node(part, index))), None)


async def test_tickets_from_before_there_were_timers_have_theirs(store: Store) -> None:
    """As the migration leaves them: a deadline, and no moments."""
    ticket = await store.open()
    async with store.database.transaction() as connection:
        await connection.execute("UPDATE tickets SET clocks = NULL")
        await connection.execute("UPDATE timers SET due_at = %s", (after(3),))
    await store.tick(3)
    assert await store.told(ticket) == MISSED
    async with store.database.transaction() as connection:
        stored = await lock_tickets(connection, [(store.workspace, ticket.id)])
    assert stored[(store.workspace, ticket.id)].ticket.deadline == ticket.deadline
