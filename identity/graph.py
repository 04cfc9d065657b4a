"""The identity graph is a fold over its history (trust model, I9): who holds which handle, who is merged into whom, and
which pairs people keep apart. The tables hold nothing about these that the history does not say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from sinks.postgres.identity_rows import EventRow, HandleKey, LinkState

LINK_ACTIONS = {"claimed": "claimed", "linked": "verified", "disputed": "disputed"}
"""Actions that make a link where none is, and its state. Where one is, a proof only replaces a claim or what was revoked,
and a link what was disputed."""

_REPLACED = ("claimed", "revoked")


@dataclass(slots=True)
class Graph:
    """The state after some events."""

    links: dict[tuple[HandleKey, UUID], LinkState] = field(default_factory=dict)
    merges: dict[UUID, UUID] = field(default_factory=dict)
    """Source and target of the merges in force."""
    separations: set[frozenset[UUID]] = field(default_factory=set)

    def root(self, customer: UUID) -> UUID:
        """The customer that this one is merged into, at the end of the chain; itself when it is not."""
        while customer in self.merges:
            customer = self.merges[customer]
        return customer

    def after(self, event: EventRow) -> Graph:
        """This graph, changed by the event that follows."""
        if event.action == "merged" and event.other:
            self.merges[event.customer] = event.other
        elif event.action in ("unmerged", "rejected") and event.other:
            if event.action == "unmerged":
                self.merges.pop(event.customer, None)
            self.separations.add(frozenset((event.customer, event.other)))
        elif event.kind is not None and event.value is not None:
            self._linked(((event.workspace, event.kind, event.value), event.customer), event)
        return self

    def _linked(self, link: tuple[HandleKey, UUID], event: EventRow) -> None:
        held = self.links.get(link)
        if event.action in LINK_ACTIONS:
            if held is None or _is_replaced(held, event):
                assert event.proof is not None
                assert event.message is not None
                state = LINK_ACTIONS[event.action]
                self.links[link] = LinkState(
                    state, event.proof, event.at, event.message, event.at, proven_by=event.proven_by
                )
        elif held is None:
            return
        elif event.action == "contested" and held.state == "verified":
            self.links[link] = held._replace(state="disputed", cause=event.message)
        elif event.action == "revoked":
            self.links[link] = held._replace(state="revoked", cause=None)
        elif event.action == "seen":
            self.links[link] = held._replace(seen=max(held.seen, event.at), proven_by=event.proven_by)


def _is_replaced(held: LinkState, event: EventRow) -> bool:
    """Somebody's word ends a dispute. What made the link says nothing new."""
    if held.state == "disputed":
        return event.action == "linked" and event.message != held.evidence
    return held.state in _REPLACED and event.action != "claimed"


def fold(events: Iterable[EventRow]) -> Graph:
    """The graph that these events lead to, in this order."""
    graph = Graph()
    for event in events:
        graph.after(event)
    return graph
