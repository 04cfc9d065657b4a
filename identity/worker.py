"""The identity stage: inbound messages in, resolved messages out. One transaction a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import ClassVar
from uuid import UUID

import msgspec

from contracts.base import encode
from contracts.erasure import MARK, resolved_without_person, without_person
from contracts.errors import Transient
from contracts.inbound import InboundMessage
from contracts.proofs import subject
from contracts.resolved import Context, CustomerLink, ResolvedMessage
from contracts.topics import INBOUND, OVERFLOW, RESOLVED, Topic
from contracts.workspace import Account, Workspace
from identity.context import Contexts
from identity.decide import Plan
from identity.evidence import HandleKey, Observation, moved_to, observations
from identity.facts import Facts, Holder, Person
from identity.history import link_events, merge_events
from identity.moves import resolve
from identity.orders.source import OrderSource
from identity.shared import Shown, shared_handles
from identity.tombstones import Tombstones
from identity.traits import traits
from runtime import metrics
from runtime.failpoints import failpoint
from runtime.kafka import Outgoing, Producer
from runtime.postgres import Connection, Database
from runtime.stage import Batch, Delivery, Done, Outcome, Stage
from sinks.postgres import erasure_store, identity_merges, identity_store, suggestion_store
from sinks.postgres.config_store import WorkspaceCache
from sinks.postgres.erasure_store import Tombstone, TombstoneKey
from sinks.postgres.identity_merges import Key
from sinks.postgres.identity_rows import CustomerRow, HolderRow


class Identity(Stage[InboundMessage]):
    """Links each message to a customer and passes it on, keyed by that customer, with what is known about them. `orders`:
    what knows the stores' orders, by adapter."""

    name: ClassVar[str] = "identity"
    sources: ClassVar[tuple[Topic, ...]] = (INBOUND, OVERFLOW)

    def __init__(
        self,
        database: Database,
        producer: Producer,
        workspaces: WorkspaceCache,
        orders: Mapping[str, OrderSource] | None = None,
        tombstones: Tombstones | None = None,
    ) -> None:
        """`tombstones`: made with the erasure key; without one, workspaces that have erased somebody are refused."""
        self._database = database
        self._producer = producer
        self._workspaces = workspaces
        self._contexts = Contexts(orders or {})
        self._tombstones = tombstones or Tombstones(b"")
        self._shared_handles: dict[UUID, tuple[str, frozenset[Shown]]] = {}

    async def start(self) -> None:
        await self._database.open()
        await self._producer.start()

    async def stop(self) -> None:
        await self._contexts.close()
        await self._producer.stop()
        await self._database.close()

    async def run(self, batch: Batch[InboundMessage]) -> list[Outcome]:
        """Commit, produce, and only then report: a crash in between repeats both, to the same effect."""
        await self._workspaces.refresh(batch.workspaces)
        async with self._database.batch(batch.workspaces, len(batch)) as connection:
            plans = await self._decided(connection, batch)
            await _write(connection, plans)
            contexts = await self._contexts.ask(connection, plans, self._config)
        failpoint("identity.after_commit")
        resolved = zip(batch, plans, await contexts(), strict=True)
        await self._producer.send_all([_outgoing(delivery, plan, one) for delivery, plan, one in resolved])
        failpoint("identity.after_produce")
        for plan in plans:
            metrics.identity_resolutions.labels(plan.message.channel, _decision(plan)).inc()
        return [Done() for _ in plans]

    async def _decided(self, connection: Connection, batch: Batch[InboundMessage]) -> list[Plan]:
        accounts = [self._account(delivery.message) for delivery in batch]
        seen = [self._observed(d.message, account) for d, account in zip(batch, accounts, strict=True)]
        keys = [self._tombstones.of_message(d.message, shown) for d, shown in zip(batch, seen, strict=True)]
        stones = await erasure_store.find(
            connection, batch.workspaces, self._tombstones.fingerprint, chain.from_iterable(keys)
        )
        facts = await _facts(connection, batch, seen)
        erased = _erased(batch, seen, keys, await stones())
        facts.erased = erased.generations
        plans = []
        for delivery, account, shown in zip(batch, accounts, seen, strict=True):
            if delivery.message.message_id in erased.messages:
                plans.append(Plan(without_person(delivery.message)))
                continue
            plan = resolve(delivery.message, shown, facts, account.claimed if account else "attach")
            facts.after(plan)
            plans.append(plan)
        return plans

    def _account(self, message: InboundMessage) -> Account | None:
        return self._workspaces.account(message.workspace, message.channel, message.account)

    def _observed(self, message: InboundMessage, account: Account | None) -> list[Observation]:
        return observations(message, account.region if account else None, self._shared(message.workspace))

    def _config(self, workspace: UUID) -> Workspace | None:
        found = self._workspaces.get(workspace)
        return found[1] if found else None

    def _shared(self, workspace: UUID) -> frozenset[Shown]:
        """What identifies nobody in the workspace, made anew when its configuration changes."""
        version, config = self._workspaces.get(workspace) or ("", None)
        known = self._shared_handles.get(workspace)
        if known is None or known[0] != version:
            known = self._shared_handles[workspace] = (
                version,
                shared_handles(config) if config else frozenset(),
            )
        return known[1]


@dataclass(slots=True)
class _Erased:
    """Messages of a batch of which nothing may come back, and by how much erasures raise the generation of handles."""

    messages: set[UUID] = field(default_factory=set)
    generations: dict[HandleKey, int] = field(default_factory=dict)


def _erased(
    batch: Batch[InboundMessage],
    seen: Sequence[Sequence[Observation]],
    keys: Sequence[Sequence[TombstoneKey]],
    found: Mapping[TombstoneKey, Tombstone],
) -> _Erased:
    """A message that was erased, or was on its way when its customer was, is passed on without the person. `keys`: of each
    message and what it shows (`Tombstones.of_message`)."""
    erased = _Erased()
    if not found:
        return erased
    for delivery, shown, (own, *handles) in zip(batch, seen, keys, strict=True):
        accepted = delivery.message.received_at
        stones = [found[key] for key in handles if key in found]
        if own in found or any(stone.until and accepted <= stone.until for stone in stones):
            erased.messages.add(delivery.message.message_id)
        for observation, key in zip(shown, handles, strict=True):
            if key in found:
                erased.generations[observation.key] = found[key].generation
    return erased


def _named(batch: Batch[InboundMessage]) -> set[Key]:
    """Whom the batch's proofs are about."""
    named = ((delivery.message.workspace, subject(delivery.message)) for delivery in batch)
    return {(workspace, customer) for workspace, customer in named if customer is not None}


async def _facts(
    connection: Connection, batch: Batch[InboundMessage], seen: Sequence[Sequence[Observation]]
) -> Facts:
    named = _named(batch)
    facts = Facts(roots=await identity_merges.roots(connection, named))
    keys = {observation.key for shown in seen for observation in shown}
    rows = await identity_store.holders(connection, keys)
    # Only these change people who are there, who are locked, and then read again.
    several = {
        o.key
        for delivery, shown in zip(batch, seen, strict=True)
        for o in _changing(delivery.message, shown, bool(named))
    }
    roots = {(row.key[0], row.customer) for row in rows if row.key in several and row.state in _PROVEN}
    roots |= {(workspace, facts.roots[one]) for workspace, one in named if one in facts.roots}
    if roots:
        await identity_merges.lock(connection, roots)
        rows = await identity_store.holders(connection, keys)
        again = {(row.key[0], row.customer) for row in rows if row.key in several and row.state in _PROVEN}
        if not again <= roots or facts.roots != await identity_merges.roots(connection, named):
            raise Transient("identity: a customer was merged meanwhile")
        groups, facts.separations = await identity_merges.groups(connection, roots)
        for group in groups:
            facts.people[group.root] = Person(dict(group.proven), list(group.merged_at), set(group.members))
    for row in rows:
        _add(facts, row)
    return facts


async def _write(connection: Connection, plans: Sequence[Plan]) -> None:
    await identity_store.write(
        connection,
        [_customer(plan) for plan in plans if plan.is_new],
        [row for plan in plans for row in link_events(plan)],
    )
    await identity_merges.merge(connection, [row for plan in plans for row in merge_events(plan)])
    await suggestion_store.add(connection, [row for plan in plans for row in traits(plan)])


def _changing(message: InboundMessage, shown: Sequence[Observation], named: bool) -> Sequence[Observation]:
    """Proofs of several handles at once, or of one for somebody who is `named`; of who moved, the old handle too."""
    if moved_to(message) is not None:
        return shown
    proven = [o for o in shown if o.proven]
    return proven if named or len(proven) > 1 else ()


_PROVEN = ("verified", "disputed")


def _add(facts: Facts, row: HolderRow) -> None:
    holder = Holder(row.since, row.customer, row.evidence, row.own, row.seen, row.cause, row.proven_by)
    if row.state == "verified":
        facts.verified[row.key] = holder
    elif row.state == "disputed":
        facts.disputed.setdefault(row.key, {})[row.own] = holder
    elif row.state == "claimed":
        facts.claimed[row.key] = holder
    else:
        facts.generations[row.key] = facts.generations.get(row.key, 0) + 1


def _customer(plan: Plan) -> CustomerRow:
    message, founder = plan.message, plan.founded_by
    kind, value = founder.key[1:] if founder else ("message", str(message.message_id))
    customer = plan.links[0].customer if plan.links else plan.customer
    assert customer is not None
    return CustomerRow(
        message.workspace,
        customer,
        kind,
        value,
        founder is not None and founder.proven,
        message.sender.display_name,
        message.received_at,
        plan.generation,
    )


def _outgoing(delivery: Delivery[InboundMessage], plan: Plan, known: Context) -> Outgoing:
    record, message = delivery.record, delivery.message
    if MARK in plan.message.marks:
        bare = resolved_without_person(message, record.position)
        key = f"{message.workspace}|{message.message_id}".encode()
        return Outgoing(RESOLVED.name, key, encode(bare), record.headers)
    resolved = ResolvedMessage(
        workspace=message.workspace,
        message_id=message.message_id,
        position=record.position,
        inbound=msgspec.Raw(record.value or b""),
        customer=_whose(plan),
        suggestions=plan.suggestions,
        orders=known.orders,
        order_context=known.order_context,
        recent_tickets=known.recent_tickets,
        order_numbers=known.order_numbers,
    )
    key = f"{message.workspace}|{plan.customer or message.message_id}".encode()
    return Outgoing(RESOLVED.name, key, encode(resolved), record.headers)


def _whose(plan: Plan) -> CustomerLink | None:
    if plan.customer is None:
        return None
    return CustomerLink(id=plan.customer, is_new=plan.is_new, trust=plan.trust, matched_by=plan.matched_by)


def _decision(plan: Plan) -> str:
    if plan.customer is None:
        return "nobody"
    if plan.is_new:
        return "new_person" if plan.trust not in ("none", "claimed") else "new_unverified"
    if plan.suggestions:
        return "conflict"
    return "existing_claimed" if plan.trust == "claimed" else "existing_verified"
