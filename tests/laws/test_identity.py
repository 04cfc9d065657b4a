"""Laws of identity, for any messages: batches do not matter, order does not matter for what is proven, reading again adds
nothing, and claims change nothing that is proven."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.inbound import Handle, InboundMessage
from identity.decide import ClaimPolicy, Plan
from identity.evidence import HandleKey, observations
from identity.moves import resolve
from tests.support.identity import Ledger, Registry
from tests.support.routing import NOW, message

NETWORKS = [("telegram_user", "7"), ("telegram_user", "8"), ("psid", "7"), ("external_id", "42")]
TYPED = [
    *(("email", value) for value in ("ann@x.example", "Ann@X.example", "info@x.example")),
    *(("phone", value) for value in ("+48601100200", "+48 601 100 200", "null")),
]
KINDS = ["message"] * 6 + ["edit", "bounce", "status", "reaction"]

networks = st.builds(lambda h: Handle(kind=h[0], value=h[1], proof="channel"), st.sampled_from(NETWORKS))
proven = st.builds(lambda h: Handle(kind=h[0], value=h[1], proof="verified"), st.sampled_from(TYPED))
claims = st.builds(
    lambda h, proof: Handle(kind=h[0], value=h[1], proof=proof),
    st.sampled_from(TYPED),
    st.sampled_from(["claimed", "claimed", "mentioned"]),
)


@st.composite
def conversations(draw: st.DrawFn, handles: st.SearchStrategy[list[Handle]]) -> list[InboundMessage]:
    """Up to ten messages, a few of them the same one again."""
    made: list[InboundMessage] = []
    for number in range(draw(st.integers(1, 10))):
        if made and draw(st.integers(0, 5)) == 0:
            made.append(draw(st.sampled_from(made)))
            continue
        given_: dict[str, Any] = {
            "handles": tuple(draw(handles)),
            "kind": draw(st.sampled_from(KINDS)),
            "account": draw(st.sampled_from(["contact", "apart"])),
            "authentication": draw(st.sampled_from([None, None, "none", "fail"])),
            "received_at": NOW + timedelta(minutes=draw(st.integers(0, 3))),
        }
        made.append(message(f"m{number}", **given_))
    return made


anything = conversations(st.lists(networks | proven | claims, max_size=3))
one_proof = conversations(
    st.builds(lambda proof, typed: [proof, *typed], networks | proven, st.lists(claims, max_size=2))
)


def policy(inbound: InboundMessage) -> ClaimPolicy:
    return "separate" if inbound.account == "apart" else "attach"


def taken(messages: Iterable[InboundMessage], registry: Registry | None = None) -> list[Plan]:
    registry = registry or Registry()
    return [registry.take(one, policy(one)) for one in messages]


# Two who claim the same, the later one first, are rare.
@settings(max_examples=500)
@given(anything)
def test_one_batch_of_many_is_many_batches_of_one(messages: list[InboundMessage]) -> None:
    ledger, one_by_one = Ledger(), []
    for one in messages:
        plan = resolve(one, observations(one, "PL"), ledger.facts(), policy(one))
        ledger.write(plan)
        one_by_one.append(plan)
    assert taken(messages) == one_by_one


WORDS = [("external_id", "42"), ("email", "ann@x.example"), ("phone", "+48601100200")]


@st.composite
def proofs_and_moves(draw: st.DrawFn) -> list[tuple[InboundMessage, int | None]]:
    """Codes and colleagues' words, each about one of the customers so far (by number), and people who change their number."""
    numbers = st.sampled_from(["48601100200", "48601100201"])
    made: list[tuple[InboundMessage, int | None]] = []
    for number in range(draw(st.integers(2, 10))):
        at = NOW + timedelta(days=draw(st.integers(0, 600)))
        what = draw(st.integers(0, 5))
        if what == 0:
            old = Handle(kind="phone", value=f"+{draw(numbers)}", proof="claimed")
            fields = {"new_number": draw(numbers)}
            one = message(f"m{number}", handles=(old,), kind="system", received_at=at, fields=fields)
            made.append((one, None))
        elif what == 1:
            source, proof = draw(st.sampled_from([("agent", "authoritative"), ("code", "verified")]))
            kind, value = draw(st.sampled_from(WORDS))
            handle: Any = Handle(kind=kind, value=value, proof=proof)  # type: ignore[arg-type]
            one = message(
                f"m{number}",
                channel="proof",
                account=source,
                kind="system",
                handles=(handle,),
                received_at=at,
            )
            made.append((one, draw(st.integers(0, 9))))
        else:
            handles = tuple(draw(st.lists(networks | proven, min_size=1, max_size=3)))
            logins = Handle(kind="external_id", value=str(41 + what), proof="authoritative")
            made.append((message(f"m{number}", handles=(logins, *handles)[what % 2 :], received_at=at), None))
    return made


@settings(max_examples=300)
@given(proofs_and_moves())
def test_proofs_and_moves_too_are_the_same_in_one_batch_and_in_many(
    script: list[tuple[InboundMessage, int | None]],
) -> None:
    """And none of them gives anybody a second login."""
    registry, ledger, customers = Registry(), Ledger(), list[UUID]()
    for one, about in script:
        if about is not None:
            if not customers:
                continue
            named = {"customer": str(customers[about % len(customers)])}
            one = msgspec.structs.replace(one, fields=named)
        graph, stored = ledger.graph, ledger.facts()
        registry.facts.roots = {customer: graph.root(customer) for customer in customers}
        stored.roots = dict(registry.facts.roots)
        plan = registry.take(one)
        assert plan == resolve(one, observations(one, "PL"), stored)
        ledger.write(plan)
        customers += [link.customer for link in plan.links if link.customer not in customers]
    logins: dict[UUID, HandleKey] = {}
    for (key, own), link in ledger.graph.links.items():
        if key[1] == "external_id" and link.state == "verified":
            assert logins.setdefault(ledger.graph.root(own), key) == key


@given(anything)
def test_reading_again_adds_nothing(messages: list[InboundMessage]) -> None:
    registry = Registry()
    taken(messages, registry)
    before = deepcopy(registry.facts)
    taken(messages, registry)
    assert registry.facts == before


@given(anything)
def test_a_message_that_comes_twice_is_decided_the_same(messages: list[InboundMessage]) -> None:
    """But for what is noted once."""
    *_, first, again = taken([*messages, messages[-1]])
    noted = tuple(link for link in first.links if link.action != "seen")
    assert again in (first, replace(first, links=noted))


@given(st.data(), one_proof)
def test_the_order_does_not_matter_for_what_is_proven(
    data: st.DataObject, messages: list[InboundMessage]
) -> None:
    """For messages that prove one handle each. Those that prove two of two customers are shown to people meanwhile."""
    founding = [one for one in messages if one.kind == "message"]
    shuffled = data.draw(st.permutations(founding))

    def groups(order: list[InboundMessage]) -> dict[UUID, UUID | None]:
        return {
            plan.message.message_id: plan.customer
            for plan in taken(order)
            if plan.trust in ("channel", "verified")
        }

    assert groups(founding) == groups(shuffled)


@given(anything)
def test_claims_change_nothing_that_is_proven(messages: list[InboundMessage]) -> None:
    def links(some: Iterable[InboundMessage]) -> set[tuple[HandleKey, UUID]]:
        return {
            (link.observation.key, link.customer)
            for plan in taken(some)
            for link in plan.links
            if link.observation.proven
        }

    def proves(one: InboundMessage) -> bool:
        return any(observation.proven for observation in observations(one, "PL"))

    assert links(messages) == links(one for one in messages if proves(one))


@given(anything)
def test_who_founds_nobody_writes_nothing(messages: list[InboundMessage]) -> None:
    for plan in taken(messages):
        if plan.customer is None or plan.trust == "none":
            assert plan.links == ()
        assert (plan.customer is not None) or plan.message.kind not in ("message", "edit")
