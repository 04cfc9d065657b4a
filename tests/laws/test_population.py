"""A population whose truth is known: no two people are ever linked, what can be proven is found, and most of the rest is
suggested. A tenth of the size here, the whole of it in `make soak`."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from uuid import UUID

import pytest

from identity.decide import Plan
from identity.evidence import HandleKey
from identity.suggest import Profile, blocks, compare, profile
from identity.traits import traits
from tests.laws.population import Population, Sent, Shown
from tests.laws.town import population
from tests.support.identity import Registry
from tests.support.routing import WORKSPACE

SIZE = 20_000 if os.environ.get("SOAK") else 2_000
MESSAGES = SIZE * 6
_SHARERS = 30
"""A block that more share is not walked, as in the store."""


@dataclass(slots=True)
class Town:
    """The population, and what identity made of its messages."""

    truth: Population
    registry: Registry
    roots: dict[UUID, UUID]
    given: dict[UUID, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    """By customer: traits, as the store has them."""
    hints: dict[UUID, set[tuple[int, str]]] = field(default_factory=lambda: defaultdict(set))
    """By customer: who said something by which people could know them, and what: an order, or their address, mistyped too."""

    def root(self, customer: UUID) -> UUID:
        while customer in self.roots:
            customer = self.roots[customer]
        return customer

    def held(self) -> dict[UUID, set[Shown]]:
        """Verified handles by root customer."""
        found: dict[UUID, set[Shown]] = defaultdict(set)
        for (_, kind, value), holder in self.registry.facts.verified.items():
            found[self.root(holder.customer)].add((kind, value))
        return found


@pytest.fixture(scope="module")
def town() -> Town:
    truth = population(SIZE, MESSAGES)
    town = Town(truth, Registry("BG"), {})
    for sent in truth.sent:
        plan = town.registry.take(sent.message, sent.policy)
        if plan.merge is not None:
            town.roots[plan.merge.source] = plan.merge.target
        if plan.customer is not None and sent.honest:
            town.hints[plan.customer] |= {(sent.author, hint) for hint in _hints(sent, plan)}
        for row in traits(plan):
            town.given[row.customer].add((row.kind, row.value))
        for link in plan.links:
            if link.action in ("linked", "claimed", "disputed"):
                town.given[link.customer].add(link.observation.key[1:])
    return town


def test_no_two_people_are_linked(town: Town) -> None:
    """Of every customer somebody has all that it has proven."""
    owners = town.truth.owners
    wrong = [
        shown
        for shown in town.held().values()
        if not set.intersection(*(owners.get(one, set()) for one in shown))
    ]
    assert wrong == []


def test_what_is_proven_together_is_found(town: Town) -> None:
    at = {shown: root for root, handles in town.held().items() for shown in handles}
    pairs = [pair for pairs in town.truth.provable().values() for pair in pairs]
    found = sum(at.get(one) is not None and at.get(one) == at.get(other) for one, other in pairs)
    print(f"provable pairs: {len(pairs)}, found: {found / len(pairs):.4f}")
    assert len(pairs) > SIZE / 4
    assert found / len(pairs) >= 0.98


def test_most_of_the_rest_is_suggested(town: Town) -> None:
    """Customers of one person that no proof joins, though people could see it."""
    given: dict[UUID, set[tuple[str, str]]] = defaultdict(set)
    told: dict[tuple[int, str], set[UUID]] = defaultdict(set)
    authors: dict[UUID, set[int]] = defaultdict(set)
    for customer, rows in town.given.items():
        given[town.root(customer)] |= rows
    for customer, hints in town.hints.items():
        for hint in hints:
            told[hint].add(town.root(customer))
            authors[town.root(customer)].add(hint[0])
    wanted = {pair for roots in told.values() for pair in combinations(sorted(roots), 2)}
    shown = _suggested({root: profile(rows) for root, rows in given.items() if root in authors})
    right = {pair for pair in shown if authors[pair[0]] & authors[pair[1]]}
    recall, precision = len(shown & wanted) / len(wanted), len(right) / len(shown)
    print(f"pairs: {len(wanted)}, recall {recall:.3f}, precision {precision:.3f}")
    assert len(wanted) > SIZE / 50
    assert recall >= 0.6
    assert precision >= 0.6


def _hints(sent: Sent, plan: Plan) -> Iterator[str]:
    """A claim that is attached to somebody adds nothing to them (I2), and so is no hint."""
    if not plan.is_new and plan.trust == "claimed":
        return
    if "order_number" in sent.message.fields:
        yield "order"
    if any(handle.kind == "email" for handle in sent.message.sender.handles):
        yield "address"


def _suggested(people: dict[UUID, Profile]) -> set[tuple[UUID, UUID]]:
    sharers: dict[str, list[UUID]] = defaultdict(list)
    for root, one in people.items():
        for block in blocks(one):
            sharers[block].append(root)
    few = (sorted(roots) for roots in sharers.values() if len(roots) <= _SHARERS)
    pairs = {pair for roots in few for pair in combinations(roots, 2)}
    return {pair for pair in pairs if compare(people[pair[0]], people[pair[1]]).suffices}


def test_an_attacker_s_claims_are_on_nobody_s_verified_side(town: Town) -> None:
    """What was only ever typed or forged of a handle proves nothing: nobody holds a handle that no honest message proved."""
    proven: set[HandleKey] = set()
    for sent in town.truth.sent:
        proven |= {
            (WORKSPACE, handle.kind, handle.value)
            for handle in sent.message.sender.handles
            if handle.proof in ("channel", "verified", "authoritative")
        }
    assert town.registry.facts.verified.keys() <= proven
