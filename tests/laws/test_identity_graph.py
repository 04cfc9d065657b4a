"""Laws of the identity graph: a model of sets that are joined and come apart, with vetoes; any order and any repetition
lead to the same; what is undone is as it was; and whatever a stranger does, the proven customer is not touched."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from copy import deepcopy
from datetime import timedelta
from itertools import combinations
from typing import Any
from uuid import UUID, uuid5

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from contracts.inbound import InboundMessage
from identity.decide import Plan, resolve
from identity.evidence import HandleKey, observations
from identity.graph import fold
from sinks.postgres.identity_rows import EventRow
from tests.support.identity import Ledger, Registry, shown
from tests.support.routing import DAY, NOW, WORKSPACE

LOGINS = [("external_id", str(number), "authoritative") for number in (42, 43, 44)]
CHATS = [("telegram_user", "701", "channel"), ("psid", "702", "channel"), ("viber_user", "703", "channel")]
CONTACTS = [
    *(("email", f"{name}@x.example", "verified") for name in ("ann", "ben")),
    *(("phone", f"+4860110020{number}", "verified") for number in range(2)),
]
Shown = tuple[str, str, str]


def claimed(handle: Shown) -> Shown:
    return (handle[0], handle[1], "claimed")


class Sets:
    """Sets that are joined by pairs, made anew from the pairs that are left whenever one is taken away."""

    def __init__(self, pairs: Iterable[tuple[Any, Any]] = ()) -> None:
        self._parent: dict[Any, Any] = {}
        for one, other in pairs:
            self._parent[self.root(one)] = self.root(other)

    def root(self, member: Any) -> Any:
        while (above := self._parent.setdefault(member, member)) != member:
            member = above
        return member

    def groups(self) -> set[frozenset[Any]]:
        found: dict[Any, set[Any]] = {}
        for member in list(self._parent):
            found.setdefault(self.root(member), set()).add(member)
        return {frozenset(group) for group in found.values()}


class People(RuleBasedStateMachine):
    """Messages that prove handles, and people who merge and take it back, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.messages: list[InboundMessage] = []
        self.pairs: dict[UUID, UUID] = {}
        self.by_people: set[UUID] = set()
        self.parted: list[tuple[UUID, UUID]] = []
        self.acts = 0
        self.fresh = False

    @rule(handles=st.lists(st.sampled_from(LOGINS + CHATS + CONTACTS), min_size=1, max_size=3, unique=True))
    def message(self, handles: list[Shown]) -> None:
        # A day apart: how fast a person may grow is not the matter here.
        at = NOW + 2 * DAY * len(self.messages) % (100 * DAY)
        self.messages.append(shown(f"m{len(self.messages)}", *handles, received_at=at))
        self._take(self.messages[-1])
        self.fresh = True

    @precondition(lambda self: self.fresh)
    @rule()
    def the_same_again(self) -> None:
        """As after a crash, before anybody did anything else."""
        before = dict(self.ledger.events)
        self._take(self.messages[-1])
        assert self.ledger.events == before

    @precondition(lambda self: len(self._roots()) > 1)
    @rule(data=st.data())
    def people_merge(self, data: st.DataObject) -> None:
        source, target = data.draw(st.sampled_from(list(combinations(sorted(self._roots()), 2))))
        self._act("merged", source, target)
        self.pairs[source] = target
        self.by_people.add(source)

    @precondition(lambda self: self.pairs)
    @rule(data=st.data())
    def people_undo(self, data: st.DataObject) -> None:
        source = data.draw(st.sampled_from(sorted(self.pairs)))
        links = dict(self.ledger.graph.links)
        target = self.pairs.pop(source)
        self._act("unmerged", source, target)
        self.by_people.discard(source)
        self.parted.append((source, target))
        assert self.ledger.graph.links == links, "no link moves"

    @precondition(lambda self: len(self._roots()) > 1)
    @rule(data=st.data())
    def merge_and_undo(self, data: st.DataObject) -> None:
        before = deepcopy(self.ledger.graph)
        self.people_merge(data)
        source, target = list(self.pairs.items())[-1]
        del self.pairs[source]
        self._act("unmerged", source, target)
        self.by_people.discard(source)
        self.parted.append((source, target))
        after = self.ledger.graph
        assert (after.links, after.merges) == (before.links, before.merges)

    @invariant()
    def customers_are_the_sets_of_the_merges(self) -> None:
        graph, sets = self.ledger.graph, Sets(self.pairs.items())
        assert graph.merges == self.pairs
        for one, other in combinations(self._customers(), 2):
            assert (graph.root(one) == graph.root(other)) == (sets.root(one) == sets.root(other))

    @invariant()
    def nobody_has_two_logins_but_by_people(self) -> None:
        graph = self.ledger.graph
        automatic = Sets((s, t) for s, t in self.pairs.items() if s not in self.by_people)
        logins: dict[UUID, HandleKey] = {}
        for (key, own), link in graph.links.items():
            if key[1] == "external_id" and link.state == "verified":
                assert logins.setdefault(automatic.root(own), key) == key

    @invariant()
    def what_people_parted_is_joined_by_nobody_else(self) -> None:
        automatic = {s: t for s, t in self.pairs.items() if s not in self.by_people}
        assert not [pair for pair in self.parted if automatic.get(pair[0]) == pair[1]]

    @invariant()
    def a_verified_handle_has_one_holder(self) -> None:
        held = [key for (key, _), link in self.ledger.graph.links.items() if link.state == "verified"]
        assert len(held) == len(set(held))

    def _take(self, one: InboundMessage) -> None:
        plan = resolve(one, observations(one, "PL"), self.ledger.facts())
        self.ledger.write(plan)
        if plan.merge is not None:
            self.pairs[plan.merge.source] = plan.merge.target

    def _act(self, action: str, source: UUID, target: UUID) -> None:
        self.acts += 1
        self.fresh = False
        event = uuid5(source, f"{action}-{self.acts}")
        self.ledger.events[event] = EventRow(
            WORKSPACE, event, action, source, None, None, None, NOW, None, target
        )

    def _customers(self) -> set[UUID]:
        return {customer for _, customer in self.ledger.graph.links}

    def _roots(self) -> set[UUID]:
        return self._customers() - self.pairs.keys()


TestPeople = People.TestCase
TestPeople.settings = settings(max_examples=150, stateful_step_count=25, deadline=None, derandomize=True)


@st.composite
def proofs(draw: st.DrawFn) -> list[InboundMessage]:
    """Accounts, each of which proves one contact of its own; a contact has either logins or chats, so that what is
    contested stands for itself (the trust model excepts nothing else: what depends on time is apart)."""
    contact_of = {
        account: draw(st.sampled_from(CONTACTS[:2] if account in LOGINS else CONTACTS[2:]))
        for account in LOGINS + CHATS
    }
    made = []
    for number in range(draw(st.integers(1, 10))):
        account = draw(st.sampled_from(LOGINS + CHATS))
        contact = contact_of[account]
        handles = draw(st.sampled_from([[account], [contact], [account, contact]]))
        at = NOW + timedelta(minutes=draw(st.integers(0, 5)))
        made.append(shown(f"m{number}", *handles, received_at=at))
    return made


def verified_groups(messages: Iterable[InboundMessage]) -> set[frozenset[HandleKey]]:
    """Verified handles by customer."""
    ledger = Ledger()
    for one in messages:
        ledger.write(resolve(one, observations(one, "PL"), ledger.facts()))
    found: dict[UUID, set[HandleKey]] = {}
    graph = ledger.graph
    for (key, own), link in graph.links.items():
        if link.state == "verified":
            found.setdefault(graph.root(own), set()).add(key)
    return {frozenset(group) for group in found.values()}


def expected_groups(messages: Sequence[InboundMessage]) -> set[frozenset[HandleKey]]:
    """By the model: what one message proves together is one, but what two logins prove is nobody's."""
    seen = [[o.key for o in observations(one, "PL")] for one in messages]
    pairs = {(keys[0], keys[-1]) for keys in seen}
    logins: dict[HandleKey, set[HandleKey]] = {}
    for login, contact in pairs:
        if login[1] == "external_id" and contact != login:
            logins.setdefault(contact, set()).add(login)
    contested = {contact for contact, proven in logins.items() if len(proven) > 1}
    kept = {
        (one, one if other in contested and one[1] == "external_id" else other)
        for one, other in pairs
        if one not in contested
    }
    return Sets(kept).groups()


@settings(max_examples=300)
@given(st.data(), proofs())
def test_any_order_leads_to_the_groups_of_the_model(
    data: st.DataObject, messages: list[InboundMessage]
) -> None:
    wanted = expected_groups(messages)
    assert verified_groups(messages) == wanted
    assert verified_groups(data.draw(st.permutations(messages))) == wanted


anything = st.lists(
    st.lists(
        st.sampled_from(LOGINS + CHATS + CONTACTS + [claimed(one) for one in CONTACTS]),
        min_size=1,
        max_size=3,
        unique_by=lambda handle: handle[:2],
    ),
    min_size=1,
    max_size=8,
)


@given(anything, st.data())
def test_a_history_read_again_leads_to_the_same(script: list[list[Shown]], data: st.DataObject) -> None:
    """Rebuilding, also from a history of which parts come twice."""
    ledger = Ledger()
    for number, handles in enumerate(script):
        one = shown(f"m{number}", *handles, received_at=NOW + number * DAY)
        ledger.write(resolve(one, observations(one, "PL"), ledger.facts()))
    events = list(ledger.events.values())
    assert fold(events) == ledger.graph
    repeated = data.draw(st.sampled_from(events)) if events else None
    assert fold([*events, *([repeated] if repeated and repeated.action != "merged" else [])]) == fold(events)


ATTACKS = [
    ("external_id", "66", "authoritative"),
    ("telegram_user", "666", "channel"),
    ("email", "eve@evil.example", "verified"),
    ("visitor", "v-666", "channel"),
    *(claimed(one) for one in CONTACTS + LOGINS),
    *((kind, value, "mentioned") for kind, value, _ in CONTACTS),
]
OWN = LOGINS + CHATS + CONTACTS


@st.composite
def scripts(draw: st.DrawFn) -> list[tuple[bool, InboundMessage, Any]]:
    """Messages of honest people, and of somebody who types, forges and has accounts: whose, what, and the policy."""
    made = []
    for number in range(draw(st.integers(2, 12))):
        honest = draw(st.booleans())
        handles = draw(
            st.lists(
                st.sampled_from(OWN if honest else ATTACKS), max_size=3, unique_by=lambda handle: handle[:2]
            )
        )
        authentication = None if honest else draw(st.sampled_from([None, "none", "fail"]))
        kind = (
            "message" if honest else draw(st.sampled_from(["message", "edit", "bounce", "reaction", "call"]))
        )
        one = shown(
            f"m{number}",
            *handles,
            kind=kind,
            authentication=authentication,
            received_at=NOW + timedelta(hours=draw(st.integers(0, 90 * 24))),
        )
        made.append((honest, one, draw(st.sampled_from(["attach", "separate"]))))
    return made


@settings(max_examples=100_000 if os.environ.get("SOAK") else 1000)
@given(scripts())
def test_a_stranger_does_not_interfere(script: list[tuple[bool, InboundMessage, Any]]) -> None:
    """With and without the stranger, whatever honest people have proven is decided and linked the same."""

    def view(of: Iterable[tuple[bool, InboundMessage, Any]]) -> Any:
        registry, seen = Registry(), []
        for honest, one, policy in of:
            plan = registry.take(one, policy)
            if honest:
                seen.append(_proven_view(plan))
        own = {(WORKSPACE, kind, value) for kind, value, _ in OWN}
        held = {key: holder for key, holder in registry.facts.verified.items() if key in own}
        return seen, held

    assert view(script) == view(step for step in script if step[0])


def _proven_view(plan: Plan) -> Any:
    """Without suggestions, which a stranger may cause, and without people of one message, whose handles are theirs alone."""
    return plan.customer, plan.is_new, plan.trust, plan.matched_by, plan.links, plan.merge
