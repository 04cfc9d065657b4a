"""A proof without a message: whose the handle is from then on, whatever else is known. The law of I10 holds for it too."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from contracts.errors import Poison
from contracts.inbound import Handle, InboundMessage
from contracts.proofs import proof, said_by, subject
from identity.facts import MAX_OF_A_KIND, STALE_AFTER
from identity.graph import fold
from tests.support.identity import Ledger, Registry, shown
from tests.support.routing import DAY, NOW, WORKSPACE

ANNA = ("email", "anna@x.example", "verified")
IG = ("igsid", "178", "channel")


def code(customer: UUID, unique: str = "one", days: int = 1) -> InboundMessage:
    handle = Handle(kind="email", value=ANNA[1], proof="verified", evidence=f"otp:{unique}")
    return proof(WORKSPACE, "code", unique, (handle,), NOW + days * DAY, customer=customer)


def registry(*named: UUID) -> Registry:
    """`named`: customers that proofs may be about, as the store would have looked them up."""
    made = Registry()
    made.facts.roots = {one: one for one in named}
    return made


def about(who: Registry, customer: UUID) -> None:
    who.facts.roots[customer] = customer


def test_of_two_accounts_that_prove_one_address_the_second_joins_the_first() -> None:
    who = registry()
    first, second = (who.take(shown(f"dm{n}", ("igsid", n, "channel"))).customer for n in ("1", "2"))
    assert first is not None
    assert second is not None
    about(who, first)
    about(who, second)
    assert [link.action for link in who.take(code(first, "a")).links] == ["linked"]
    joined = who.take(code(second, "b"))
    assert joined.merge is not None
    assert (joined.merge.source, joined.merge.target) == (second, first)
    assert who.facts.roots[second] == first
    assert who.take(shown("again", ("igsid", "2", "channel"))).customer == first


def vouched(customer: UUID, unique: str = "word") -> InboundMessage:
    handle = Handle(kind="email", value=ANNA[1], proof="authoritative", evidence="agent:lea")
    return proof(WORKSPACE, "agent", unique, (handle,), NOW + 2 * DAY, customer=customer, actor="agent:lea")


def disputed(who: Registry) -> tuple[UUID, UUID]:
    """Two logins that have proven one address."""
    found = [who.take(shown(n, ("external_id", n, "authoritative"), ANNA)).customer for n in ("1", "2")]
    assert found[0] is not None
    assert found[1] is not None
    assert who.take(shown("whose", ANNA)).trust == "claimed"
    return found[0], found[1]


@pytest.mark.parametrize("winner", [0, 1])
def test_a_colleague_s_word_ends_a_dispute(winner: int) -> None:
    who = registry()
    people = disputed(who)
    about(who, people[winner])
    plan = who.take(vouched(people[winner]))
    assert [(link.action, link.customer) for link in plan.links] == [
        ("revoked", people[1 - winner]),
        ("linked", people[winner]),
    ]
    mail = who.take(shown("mail", ANNA))
    assert (mail.customer, mail.trust) == (people[winner], "verified")
    assert who.take(vouched(people[winner])).customer == people[winner]
    assert who.take(shown("again", ANNA)).customer == people[winner]


def test_a_code_ends_no_dispute() -> None:
    who = registry()
    one, _ = disputed(who)
    about(who, one)
    again = who.take(code(one)).links
    assert [(link.action, link.customer) for link in again] == [("seen", one)], "another piece of evidence"
    assert who.take(code(one)).links == ()
    assert who.take(shown("mail", ANNA)).trust == "claimed"


def test_a_colleague_s_word_about_a_third_person_ends_it_for_both() -> None:
    who = registry()
    people = disputed(who)
    dm = who.take(shown("dm", IG)).customer
    assert dm is not None
    about(who, dm)
    plan = who.take(vouched(dm))
    assert {link.customer for link in plan.links if link.action == "revoked"} == set(people)
    assert who.take(shown("mail", ANNA)).customer == dm


def test_the_history_of_a_decided_dispute_leads_to_the_same() -> None:
    who, ledger = registry(), Ledger()
    logins = [("external_id", n, "authoritative") for n in ("1", "2")]
    for number, one in enumerate(logins):
        ledger.write(who.take(shown(f"m{number}", one, ANNA)))
    winner = who.facts.verified[(WORKSPACE, *logins[0][:2])].customer
    about(who, winner)
    ledger.write(who.take(vouched(winner)))
    key = (WORKSPACE, *ANNA[:2])
    assert {own: link.state for (one, own), link in ledger.graph.links.items() if one == key} == {
        winner: "verified",
        who.facts.verified[(WORKSPACE, *logins[1][:2])].customer: "revoked",
    }
    assert ledger.facts().verified[key] == who.facts.verified[key]
    assert fold([*ledger.events.values(), next(iter(ledger.events.values()))]) == ledger.graph


def test_a_colleague_s_word_is_not_bound_by_how_much_one_person_may_have() -> None:
    who = registry()
    dm = who.take(shown("dm", IG)).customer
    assert dm is not None
    for number in range(MAX_OF_A_KIND):
        who.take(shown(f"mail{number}", IG, ("email", f"anna{number}@x.example", "verified")))
    about(who, dm)
    assert who.take(code(dm)).links == ()
    assert [link.action for link in who.take(vouched(dm)).links] == ["linked"]


def test_another_code_for_the_same_address_is_only_seen() -> None:
    who = registry()
    dm = who.take(shown("dm", IG)).customer
    assert dm is not None
    about(who, dm)
    who.take(code(dm, "a"))
    for unique in ("b", "c"):
        assert [link.action for link in who.take(code(dm, unique, days=9)).links] == ["seen"]
        assert who.take(code(dm, unique, days=9)).links == ()


def test_an_address_that_was_silent_for_long_may_have_changed_hands() -> None:
    who = registry()
    old = who.take(shown("mail", ANNA)).customer
    dm = who.take(shown("dm", IG)).customer
    assert dm is not None
    about(who, dm)
    plan = who.take(code(dm, days=STALE_AFTER["email"].days + 1))
    assert plan.merge is None
    assert {(link.action, link.customer) for link in plan.links} == {("disputed", dm), ("contested", old)}


def test_a_proof_about_nobody_changes_nothing() -> None:
    who = registry()
    plan = who.take(code(uuid4()))
    assert (plan.customer, plan.links, plan.merge) == (None, (), None)


def test_a_claim_in_a_proof_changes_nothing() -> None:
    who = registry()
    dm = who.take(shown("dm", IG)).customer
    assert dm is not None
    about(who, dm)
    typed = proof(
        WORKSPACE, "agent", "x", (Handle(kind="email", value=ANNA[1]),), NOW, customer=dm, actor="agent:lea"
    )
    plan = who.take(typed)
    assert (plan.customer, plan.links) == (dm, ())


def test_fields_of_a_form_are_no_proof() -> None:
    form = shown(
        "form", ("email", ANNA[1], "claimed"), fields={"customer": str(uuid4()), "actor": "agent:lea"}
    )
    assert (subject(form), said_by(form)) == (None, (None, None))


def test_a_proof_that_nobody_of_ours_wrote_is_parked() -> None:
    with pytest.raises(Poison):
        subject(InboundMessage(**{**_as_dict(code(uuid4())), "fields": {"customer": "178"}}))


def _as_dict(message: InboundMessage) -> dict[str, object]:
    return {name: getattr(message, name) for name in message.__struct_fields__}
