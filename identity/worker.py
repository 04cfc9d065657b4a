"""The identity stage: inbound messages in, resolved messages out. One transaction a batch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import msgspec

from contracts import ids
from contracts.base import encode
from contracts.inbound import InboundMessage
from contracts.resolved import CustomerLink, ResolvedMessage
from contracts.topics import INBOUND, OVERFLOW, RESOLVED, Topic
from identity.decide import Facts, Plan, resolve
from identity.evidence import Observation, observations
from runtime import metrics
from runtime.clock import Clock
from runtime.failpoints import failpoint
from runtime.kafka import Outgoing, Producer
from runtime.postgres import Connection, Database
from runtime.stage import Batch, Delivery, Done, Outcome, Stage
from sinks.postgres import identity_store
from sinks.postgres.config_store import WorkspaceCache
from sinks.postgres.identity_store import CustomerRow, EventRow, HandleRow

Seen = list[tuple[Delivery[InboundMessage], list[Observation]]]


class Identity(Stage[InboundMessage]):
    """Links each message to a customer and passes it on, keyed by that customer."""

    name: ClassVar[str] = "identity"
    sources: ClassVar[tuple[Topic, ...]] = (INBOUND, OVERFLOW)

    def __init__(
        self, database: Database, producer: Producer, workspaces: WorkspaceCache, clock: Clock
    ) -> None:
        self._database = database
        self._producer = producer
        self._workspaces = workspaces
        self._clock = clock

    async def start(self) -> None:
        await self._database.open()
        await self._producer.start()

    async def stop(self) -> None:
        await self._producer.stop()
        await self._database.close()

    async def run(self, batch: Batch[InboundMessage]) -> list[Outcome]:
        """Commit, produce, and only then report: a crash in between repeats both, to the same effect."""
        await self._workspaces.refresh(batch.workspaces)
        async with self._database.transaction(batch.workspaces) as connection:
            seen, facts = await self._read(connection, batch)
            plans = [self._decide(delivery.message, shown, facts) for delivery, shown in seen]
            await self._write(connection, plans)
        failpoint("identity.after_commit")
        await self._producer.send_all([_outgoing(d, plan) for (d, _), plan in zip(seen, plans, strict=True)])
        failpoint("identity.after_produce")
        _count(plans)
        return [Done() for _ in plans]

    async def _read(self, connection: Connection, batch: Batch[InboundMessage]) -> tuple[Seen, Facts]:
        seen = [
            (delivery, observations(delivery.message, self._region(delivery.message))) for delivery in batch
        ]
        keys = {observation.key for _, shown in seen for observation in shown}
        holders = await identity_store.holders(connection, keys)
        return seen, Facts(holders.verified, holders.claimed)

    def _region(self, message: InboundMessage) -> str | None:
        account = self._workspaces.account(message.workspace, message.channel, message.account)
        return account.region if account else None

    def _decide(self, message: InboundMessage, shown: list[Observation], facts: Facts) -> Plan:
        account = self._workspaces.account(message.workspace, message.channel, message.account)
        plan = resolve(message, shown, facts, account.claimed if account else "attach")
        facts.after(plan)
        return plan

    async def _write(self, connection: Connection, plans: list[Plan]) -> None:
        await identity_store.write(
            connection,
            [_customer(plan) for plan in plans if plan.is_new],
            [row for plan in plans for row in _handles(plan)],
            [row for plan in plans for row in _events(plan)],
        )


def _customer(plan: Plan) -> CustomerRow:
    message, founder = plan.message, plan.founded_by
    kind, value = founder.key[1:] if founder else ("message", str(message.message_id))
    return CustomerRow(
        message.workspace,
        plan.customer,
        kind,
        value,
        founder is not None and founder.proven,
        message.sender.display_name,
        message.received_at,
    )


def _handles(plan: Plan) -> Iterator[HandleRow]:
    for link in plan.links:
        state = "verified" if link.observation.proven else "claimed"
        yield HandleRow(
            *link.observation.key,
            link.customer,
            state,
            link.observation.proof,
            plan.message.received_at,
            plan.message.message_id,
        )


def _events(plan: Plan) -> Iterator[EventRow]:
    message = plan.message
    for link in plan.links:
        _, kind, value = link.observation.key
        action = "linked" if link.observation.proven else "claimed"
        event = ids.identity_event_id(message.message_id, action, kind, value)
        proof, at = link.observation.proof, message.received_at
        yield EventRow(
            message.workspace, event, message.message_id, link.customer, action, kind, value, proof, at
        )


def _outgoing(delivery: Delivery[InboundMessage], plan: Plan) -> Outgoing:
    record, message = delivery.record, delivery.message
    resolved = ResolvedMessage(
        workspace=message.workspace,
        message_id=message.message_id,
        position=record.position,
        inbound=msgspec.Raw(record.value or b""),
        customer=CustomerLink(
            id=plan.customer, is_new=plan.is_new, trust=plan.trust, matched_by=plan.matched_by
        ),
        suggestions=plan.suggestions,
    )
    key = f"{message.workspace}|{plan.customer}".encode()
    return Outgoing(RESOLVED.name, key, encode(resolved), record.headers)


def _count(plans: list[Plan]) -> None:
    for plan in plans:
        metrics.identity_resolutions.labels(plan.message.channel, _decision(plan)).inc()


def _decision(plan: Plan) -> str:
    if plan.is_new:
        return "new_person" if plan.trust not in ("none", "claimed") else "new_unverified"
    if plan.suggestions:
        return "conflict"
    return "existing_claimed" if plan.trust == "claimed" else "existing_verified"
