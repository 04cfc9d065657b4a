"""Laws of identity, for any messages: batches do not matter, order does not matter for what is proven, reading again adds
nothing, and claims change nothing that is proven."""

from __future__ import annotations

from collections.abc import Iterable
from copy import deepcopy
from datetime import timedelta
from typing import Any
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.inbound import Handle, InboundMessage
from identity.decide import ClaimPolicy, Plan, resolve
from identity.evidence import HandleKey, observations
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


@given(anything)
def test_reading_again_adds_nothing(messages: list[InboundMessage]) -> None:
    registry = Registry()
    taken(messages, registry)
    before = deepcopy(registry.facts)
    taken(messages, registry)
    assert registry.facts == before


@given(anything)
def test_a_message_that_comes_twice_is_decided_the_same(messages: list[InboundMessage]) -> None:
    *_, first, again = taken([*messages, messages[-1]])
    assert first == again


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
