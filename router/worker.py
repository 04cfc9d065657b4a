"""The router stage: resolved messages in, tickets out. One transaction a batch; locks in the order of architecture.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar
from uuid import UUID

import msgspec

from contracts.base import decoder
from contracts.inbound import InboundMessage
from contracts.resolved import ResolvedMessage
from contracts.topics import RESOLVED, Topic
from router.batch import decide
from router.facts import is_routed
from router.item import Item
from router.rulesets import RuleSets
from runtime import metrics
from runtime.clock import Clock
from runtime.failpoints import failpoint
from runtime.postgres import Database
from runtime.stage import Batch, Delivery, Done, Outcome, Reject, Stage
from sinks.postgres import ticket_writes
from sinks.postgres.config_store import ConfigStore, WorkspaceCache

_inbound = decoder(InboundMessage)

_NUMBER_BLOCK = 100


class Router(Stage[ResolvedMessage]):
    """Decides department, category, priority, deadline and agent, and writes tickets with their trail and events."""

    name: ClassVar[str] = "router"
    sources: ClassVar[tuple[Topic, ...]] = (RESOLVED,)

    def __init__(
        self,
        database: Database,
        config: ConfigStore,
        workspaces: WorkspaceCache,
        clock: Clock,
        reply_secrets: Sequence[str] = (),
    ) -> None:
        self._database = database
        self._config = config
        self._workspaces = workspaces
        self._reply_keys = [secret.encode() for secret in reply_secrets]
        self._rules = RuleSets(workspaces)
        self._clock = clock
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
            async with self._database.batch(batch.workspaces, len(items)) as connection:
                writes = await decide(connection, items, self._number, now, self._reply_keys)
                await ticket_writes.write(connection, writes)
            failpoint("router.after_commit")
            _count(items, self._clock.now())
        return [item if isinstance(item, Reject) else item.outcome or Done() for item in read]

    def _read(self, delivery: Delivery[ResolvedMessage]) -> Item | Reject:
        resolved = delivery.message
        rules = self._rules.get(resolved.workspace)
        if rules is None:
            return Reject("unknown_workspace", str(resolved.workspace))
        try:
            message = _inbound.decode(resolved.inbound)
        except msgspec.MsgspecError as error:
            return Reject("undecodable_inbound", str(error)[:200])
        if resolved.customer is None and is_routed(message):
            return Reject("no_customer", f"a {message.kind} belongs to a customer")
        return Item(resolved, message, rules)

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
