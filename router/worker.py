"""The router stage: resolved messages in, tickets out. One transaction a batch; locks in the order of architecture.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar
from uuid import UUID

import msgspec

from contracts.base import decoder
from contracts.inbound import InboundMessage
from contracts.resolved import ResolvedMessage
from contracts.topics import RESOLVED, Topic
from router import writing
from router.deadlines import starts_at
from router.decide import assign, carried, place, rotation_key
from router.facts import Facts, Placement, Plan, Staff, TicketFacts, refs_of
from router.ruleset import RuleSet
from runtime import metrics
from runtime.clock import Clock
from runtime.failpoints import failpoint
from runtime.postgres import Connection, Database
from runtime.stage import Batch, Delivery, Done, Drop, Outcome, Reject, Stage
from sinks.audit import GENESIS
from sinks.postgres import ticket_store, ticket_writes
from sinks.postgres.config_store import ConfigStore, WorkspaceCache
from sinks.postgres.ticket_store import Key, StoredAt, Writes

_inbound = decoder(InboundMessage)

_NUMBER_BLOCK = 100

NumberSource = Callable[[UUID], int]
"""The next ticket number of a workspace."""


@dataclass(slots=True)
class Item:
    """One delivery on its way through the batch. `outcome` is set as soon as it is known."""

    resolved: ResolvedMessage
    message: InboundMessage
    rules: RuleSet
    outcome: Outcome | None = None
    placement: Placement | None = None
    plan: Plan | None = None

    @property
    def key(self) -> Key:
        return (self.message.workspace, self.message.message_id)


class Router(Stage[ResolvedMessage]):
    """Decides department, category, priority, deadline and agent, and writes tickets with their trail and events."""

    name: ClassVar[str] = "router"
    sources: ClassVar[tuple[Topic, ...]] = (RESOLVED,)

    def __init__(
        self, database: Database, config: ConfigStore, workspaces: WorkspaceCache, clock: Clock
    ) -> None:
        self._database = database
        self._config = config
        self._workspaces = workspaces
        self._clock = clock
        self._compiled: dict[UUID, RuleSet] = {}
        self._numbers: dict[UUID, tuple[int, int]] = {}

    async def start(self) -> None:
        await self._database.open()

    async def stop(self) -> None:
        await self._database.close()

    async def run(self, batch: Batch[ResolvedMessage]) -> list[Outcome]:
        now = self._clock.now()
        await self._workspaces.refresh(batch.workspaces)
        read = [self._read(delivery) for delivery in batch]
        items = [item for item in read if isinstance(item, Item)]
        if items:
            await self._reserve_numbers(items)
            async with self._database.transaction(batch.workspaces) as connection:
                writes = await _decide(connection, items, self._number, now)
                await ticket_writes.write(connection, writes)
            failpoint("router.after_commit")
            _count(items, self._clock.now())
        return [item if isinstance(item, Reject) else item.outcome or Done() for item in read]

    def _read(self, delivery: Delivery[ResolvedMessage]) -> Item | Reject:
        resolved = delivery.message
        rules = self._rules(resolved.workspace)
        if rules is None:
            return Reject("unknown_workspace", str(resolved.workspace))
        try:
            return Item(resolved, _inbound.decode(resolved.inbound), rules)
        except msgspec.MsgspecError as error:
            return Reject("undecodable_inbound", str(error)[:200])

    def _rules(self, workspace: UUID) -> RuleSet | None:
        found = self._workspaces.get(workspace)
        if found is None:
            return None
        compiled = self._compiled.get(workspace)
        if compiled is None or compiled.version != found[0]:
            compiled = self._compiled[workspace] = RuleSet(found[1], found[0])
        return compiled

    async def _reserve_numbers(self, items: list[Item]) -> None:
        """Enough numbers for every message to open a ticket, taken before the transaction so that no row is hot."""
        for workspace in {item.message.workspace for item in items}:
            needed = sum(item.message.workspace == workspace for item in items)
            at, end = self._numbers.get(workspace, (0, 0))
            if end - at < needed:
                count = max(_NUMBER_BLOCK, needed)
                first = await self._config.take_numbers(workspace, count)
                self._numbers[workspace] = (first, first + count)

    def _number(self, workspace: UUID) -> int:
        at, end = self._numbers[workspace]
        self._numbers[workspace] = (at + 1, end)
        return at


async def _decide(connection: Connection, items: list[Item], number: NumberSource, now: datetime) -> Writes:
    """Locks, reads, folds the decisions and collects what they write."""
    writes = Writes()
    await ticket_store.lock_customers(
        connection, [(item.message.workspace, item.resolved.customer.id) for item in items]
    )
    known = await ticket_store.stored(connection, [item.key for item in items])
    fresh = [item for item in items if _is_new(item, known, writes, now)]
    routed = [item for item in fresh if item.message.kind == "message"]
    refs = {(item.message.workspace, *ref) for item in routed for ref in refs_of(item.message)}
    by_ref = await ticket_store.tickets_by_ref(connection, refs)
    wanted = [(ref[0], ticket) for ref, tickets in by_ref.items() for ticket in tickets]
    locked = await ticket_store.lock_tickets(connection, wanted)
    people = await ticket_store.participants(connection, wanted)
    newest = await ticket_store.newest_messages(connection, wanted)
    facts = Facts(
        {
            key[1]: TicketFacts(row.ticket, row.version, people.get(key, frozenset()))
            for key, row in locked.items()
        },
        by_ref,
    )
    for item in routed:
        item.placement = _numbered(place(item.resolved, item.message, facts, item.rules, now), number)
        facts.after(item.placement)
    staff = await _staff(connection, routed)
    writes.tickets.update(locked)
    latest: dict[UUID, Plan] = {}
    heads = {key[1]: row.audit_head for key, row in locked.items()}
    for item in routed:
        plan = carried(assign(_placement(item), staff, item.rules), latest)
        staff.after(plan, now)
        latest[plan.ticket.id] = item.plan = plan
        version, head = plan.placement.version, heads.get(plan.ticket.id, GENESIS)
        heads[plan.ticket.id] = writing.add_plan(writes, plan, version, head, item.rules.version, now)
    for item in fresh:
        at = (item.message.workspace, item.plan.ticket.id) if item.plan else None
        late = at is not None and at in newest and starts_at(item.message) < newest[at]
        writing.add_message(writes, item.resolved, item.message, item.plan, late)
    # Locked but not touched: there is nothing to write about them.
    writes.tickets = {key: row for key, row in writes.tickets.items() if key[1] in latest}
    return writes


def _is_new(item: Item, known: dict[Key, StoredAt], writes: Writes, now: datetime) -> bool:
    """Settles records of messages that are stored already, or come twice in this batch."""
    at = item.resolved.position
    body = item.message.raw.sha256 if item.message.raw else None
    before = known.get(item.key)
    if before is None:
        known[item.key] = StoredAt(at.topic, at.partition, at.offset, body)
        return True
    if writing.is_same_record(item.resolved, *before[:3]):
        item.outcome = Drop("stored_already")
    elif before.body_sha256 != body and item.message.channel != "email":
        # A mail's id covers its body; for others a known id with other content is a forgery or a fault.
        item.outcome = Reject("id_reuse", "the same id was stored with other content")
    else:
        writing.add_duplicate(writes, item.resolved, now)
        item.outcome = Drop("duplicate")
    return False


async def _staff(connection: Connection, routed: list[Item]) -> Staff:
    """Rotations and agents, locked last; load is counted after the lock."""
    opening = [(item.rules, _placement(item)) for item in routed if _placement(item).opens]
    rotating = [
        rotation_key(placement, rules)
        for rules, placement in opening
        if rules.method(placement.ticket.department, placement.ticket.category) == "round_robin"
    ]
    loaded = [
        (placement.ticket.workspace, agent)
        for rules, placement in opening
        if rules.method(placement.ticket.department, placement.ticket.category) == "least_open"
        for agent in rules.members(placement.ticket.department, placement.ticket.category)
    ]
    rotations = await ticket_store.lock_rotations(connection, rotating)
    stamps = await ticket_store.lock_agents(connection, loaded)
    counts = await ticket_store.open_counts(connection, loaded)
    return Staff(counts, {key: at for key, at in stamps.items() if at}, rotations)


def _placement(item: Item) -> Placement:
    assert item.placement is not None
    return item.placement


def _numbered(placement: Placement, number: NumberSource) -> Placement:
    if not placement.opens:
        return placement
    ticket = msgspec.structs.replace(placement.ticket, number=number(placement.ticket.workspace))
    return replace(placement, ticket=ticket)


def _count(items: list[Item], now: datetime) -> None:
    for item in items:
        channel = item.message.channel
        if isinstance(item.outcome, Reject):
            continue
        outcome = "stored" if item.outcome is None else "duplicate"
        metrics.terminal.labels("router", channel, outcome).inc()
        if item.plan is not None:
            age = (now - item.message.received_at).total_seconds()
            metrics.end_to_end.labels(channel).observe(max(0.0, age))
            decided_by = item.plan.placement.decided_by
            metrics.route_decisions.labels(item.plan.ticket.department, decided_by).inc()
            for match in item.plan.record["rules"]:
                metrics.route_rule_matches.labels(match["rule"]).inc()
