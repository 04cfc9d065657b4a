"""Who is who, in memory: facts that advance with each message, and a history from which they can be read again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.inbound import Handle, InboundMessage
from identity.decide import ClaimPolicy, Plan
from identity.evidence import observations
from identity.facts import Facts, Holder, Person
from identity.graph import Graph, fold
from identity.history import link_events, merge_events
from identity.moves import resolve
from identity.shared import Shown
from sinks.postgres.identity_rows import EventRow
from tests.support.routing import message


class Registry:
    """`shared`: what identifies nobody in the workspace."""

    def __init__(self, region: str | None = "PL", shared: frozenset[Shown] = frozenset()) -> None:
        self.facts = Facts()
        self._region = region
        self._shared = shared

    def take(self, inbound: InboundMessage, policy: ClaimPolicy = "attach") -> Plan:
        plan = resolve(inbound, observations(inbound, self._region, self._shared), self.facts, policy)
        self.facts.after(plan)
        return plan

    def take_all(self, messages: Iterable[InboundMessage]) -> list[Plan]:
        return [self.take(one) for one in messages]


class Ledger:
    """The history that plans have written, and the facts as a store would read them from its fold."""

    def __init__(self) -> None:
        self.events: dict[UUID, EventRow] = {}
        self._merged_at: list[tuple[UUID, datetime]] = []

    def write(self, plan: Plan) -> None:
        merges = [row.event for row in merge_events(plan)]
        for event in (*link_events(plan), *merges):
            self.events.setdefault(event.event, event)
        self._merged_at += [(event.customer, event.at) for event in merges]

    @property
    def graph(self) -> Graph:
        return fold(self.events.values())

    def facts(self) -> Facts:
        graph, facts = self.graph, Facts()
        for (key, own), link in graph.links.items():
            root = graph.root(own)
            person = facts.people.setdefault(root, Person(members={root}))
            person.members.add(own)
            if link.state == "revoked":
                facts.generations[key] = facts.generations.get(key, 0) + 1
                continue
            holder = Holder(link.since, root, link.evidence, own, link.seen, link.cause, link.proven_by)
            if link.state == "claimed":
                facts.claimed[key] = min(holder, facts.claimed.get(key, holder))
                continue
            person.proven[key] = link.proof
            if link.state == "verified":
                assert key not in facts.verified, "one holder of what is verified"
                facts.verified[key] = holder
            else:
                facts.disputed.setdefault(key, {})[own] = holder
        for source, at in self._merged_at:
            if source in graph.merges:
                facts.people[graph.root(source)].merged_at.append(at)
        facts.separations = graph.separations
        return facts


def shown(name: str, *handles: tuple[Any, str, Any], **given: Any) -> InboundMessage:
    """A message whose sender shows these handles: kind, value, proof."""
    sender = tuple(Handle(kind=kind, value=value, proof=proof) for kind, value, proof in handles)
    return message(name, handles=sender, **given)
