"""Whose a message is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contracts.inbound import Handle, InboundMessage, Kind
from identity.decide import FOUNDING
from identity.facts import MAX_OF_A_KIND, STALE_AFTER
from router.facts import is_routed
from tests.support.identity import Registry, shown
from tests.support.routing import DAY, NOW, mail, message

KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]
EVENTS = sorted(set(KINDS) - FOUNDING)
ANN = ("email", "ann@x.example", "verified")
CHAT = ("telegram_user", "777", "channel")


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.mark.parametrize("kind", EVENTS)
@pytest.mark.parametrize("handle", [ANN, CHAT, ("email", "ann@x.example", "claimed")])
def test_an_event_that_is_no_message_founds_nobody(registry: Registry, kind: Any, handle: Any) -> None:
    plan = registry.take(shown("one", handle, kind=kind))
    assert (plan.customer, plan.is_new, plan.trust, plan.links) == (None, False, "none", ())


@pytest.mark.parametrize("kind", EVENTS)
def test_it_goes_to_the_customer_who_is_there(registry: Registry, kind: Any) -> None:
    founded = registry.take(shown("one", CHAT))
    plan = registry.take(shown("two", CHAT, ANN, kind=kind))
    assert (plan.customer, plan.is_new, plan.trust, plan.matched_by) == (
        founded.customer,
        False,
        "channel",
        "telegram_user",
    )
    assert plan.links == (), "it links nothing either"


def test_a_claimed_event_goes_to_a_claimant_and_a_proven_one_does_not(registry: Registry) -> None:
    founded = registry.take(shown("one", ("email", "ann@x.example", "claimed")))
    claimed = registry.take(shown("two", ("email", "ann@x.example", "claimed"), kind="auto_reply"))
    assert (claimed.customer, claimed.trust) == (founded.customer, "claimed")
    assert registry.take(shown("three", ANN, kind="auto_reply")).customer is None
    separate = registry.take(shown("four", ("email", "ann@x.example", "claimed"), kind="bounce"), "separate")
    assert separate.customer is None


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_routed_has_a_customer(kind: Any) -> None:
    for channel in ("webform", "call"):
        inbound = message("one", kind=kind, channel=channel, fields={"event": "missed"})
        assert Registry().take(inbound).customer is not None or not is_routed(inbound)


def test_somebody_without_a_handle_is_a_person_of_this_message(registry: Registry) -> None:
    one, two = registry.take(message("one")), registry.take(message("two"))
    assert one.customer != two.customer
    assert one.is_new
    assert one.trust == "none"
    assert registry.take(message("one")).customer == one.customer


def test_a_shared_mailbox_is_nobody_s(registry: Registry) -> None:
    office = [registry.take(mail(name, "office@firm.example", proof="verified")) for name in "abc"]
    assert len({plan.customer for plan in office}) == 3
    assert all(plan.links == () for plan in office)


def test_a_proven_handle_founds_and_is_found_again(registry: Registry) -> None:
    one = registry.take(shown("one", CHAT, ("email", "ann@x.example", "claimed")))
    two = registry.take(shown("two", CHAT))
    assert one.is_new
    assert not two.is_new
    assert (two.customer, two.trust, two.matched_by) == (one.customer, "channel", "telegram_user")
    assert {link.observation.key[1]: link.observation.proof for link in one.links} == {
        "telegram_user": "channel",
        "email": "claimed",
    }


def test_what_is_proven_beside_a_known_handle_is_linked_and_a_claim_is_not(registry: Registry) -> None:
    one = registry.take(shown("one", CHAT))
    contact = ("phone", "+48601100200", "verified")
    two = registry.take(shown("two", CHAT, contact, ("email", "ann@x.example", "claimed")))
    assert [link.observation.key[1] for link in two.links] == ["phone"]
    assert registry.take(shown("three", contact)).customer == one.customer
    assert registry.take(shown("four", ("email", "ann@x.example", "claimed"))).customer != one.customer


def test_two_holders_are_one_when_one_has_nothing_else_to_show(registry: Registry) -> None:
    chat, ann = registry.take(shown("one", CHAT)), registry.take(shown("two", ANN))
    both = registry.take(shown("three", ANN, CHAT))
    assert both.merge is not None
    assert (both.merge.source, both.merge.target) == (chat.customer, ann.customer)
    assert (both.customer, both.links, both.suggestions) == (ann.customer, (), ())
    assert registry.take(shown("four", CHAT)).customer == ann.customer


def test_two_who_have_more_to_show_are_not_joined_but_shown_to_people(registry: Registry) -> None:
    ben = ("email", "ben@x.example", "verified")
    chat, ann = registry.take(shown("one", CHAT, ben)), registry.take(shown("two", ANN))
    both = registry.take(shown("three", ANN, CHAT))
    assert (both.customer, both.merge) == (chat.customer, None)
    assert [(link.observation.key[2], link.action) for link in both.links] == [("ann@x.example", "disputed")]
    assert [(s.customer, s.reason) for s in both.suggestions] == [(ann.customer, "verified_together")]
    assert registry.take(shown("four", ANN)).customer == ann.customer, "who held it still does"


def test_two_ids_of_channels_prove_no_person(registry: Registry) -> None:
    one, two = ("psid", "7", "channel"), ("igsid", "8", "channel")
    registry.take_all([shown("one", one), shown("two", two)])
    assert registry.take(shown("both", one, two)).merge is None


def test_what_people_parted_is_not_joined_again(registry: Registry) -> None:
    chat, ann = registry.take(shown("one", CHAT)), registry.take(shown("two", ANN))
    assert chat.customer is not None
    assert ann.customer is not None
    registry.facts.separations.add(frozenset((chat.customer, ann.customer)))
    both = registry.take(shown("three", ANN, CHAT))
    assert both.merge is None
    assert [s.reason for s in both.suggestions] == ["verified_together"]


def test_a_person_does_not_grow_without_end(registry: Registry) -> None:
    for number in range(12):
        registry.take(shown(f"card-{number}", CHAT, ("phone", f"+4860110020{number % 10}", "verified")))
    held = [key for key, holder in registry.facts.verified.items() if key[1] == "phone"]
    assert len(held) == 5
    assert registry.take(shown("later", CHAT, ("phone", "+48601100209", "verified"))).links == ()


def test_a_person_is_not_merged_again_and_again_in_a_day(registry: Registry) -> None:
    registry.take(shown("ann", ANN))
    merged = []
    for number in range(5):
        account = ("telegram_user", f"70{number}", "channel")
        registry.take(shown(f"chat-{number}", account))
        merged.append(registry.take(shown(f"both-{number}", ANN, account)).merge is not None)
    assert merged == [True, True, True, False, False]
    account = ("telegram_user", "704", "channel")
    assert registry.take(shown("next-day", ANN, account, received_at=NOW + timedelta(days=2))).merge


def test_nobody_grows_beyond_the_limit_by_merges(registry: Registry) -> None:
    for number in range(MAX_OF_A_KIND):
        registry.take(shown(f"account-{number}", ANN, ("telegram_user", f"70{number}", "channel")))
    one = registry.take(shown("one-more", CHAT))
    both = registry.take(shown("both", ANN, CHAT))
    assert both.merge is None
    assert registry.take(shown("again", CHAT)).customer == one.customer


def test_what_is_proven_again_stays_fresh(registry: Registry) -> None:
    phone = ("phone", "+48601100200", "verified")
    registry.take(shown("one", phone))
    for day in (100, 200, 300):
        again = registry.take(shown(f"day-{day}", phone, received_at=NOW + timedelta(days=day)))
        assert [link.action for link in again.links] == ["seen"]
    viber = ("viber_user", "v1", "channel")
    late = registry.take(shown("late", viber, phone, received_at=NOW + timedelta(days=400)))
    assert [link.action for link in late.links] == ["linked", "seen"]


def test_each_thing_that_proves_a_handle_is_noted_at_once(registry: Registry) -> None:
    """For one of them may be withdrawn, and the others prove it then."""

    def proof(name: str, evidence: str | None, account: str = "contact", hours: int = 0) -> InboundMessage:
        handle = Handle(kind="email", value="ann@x.example", proof="verified", evidence=evidence)
        return message(name, handles=(handle,), account=account, received_at=NOW + timedelta(hours=hours))

    seen = [
        (proof("one", "jwt:kid=k1"), "linked"),
        (proof("two", "jwt:kid=k1", hours=1), None),
        (proof("three", "jwt:kid=k2", hours=1), "seen"),
        (proof("four", "jwt:kid=k2", hours=2), None),
        (proof("five", "jwt:kid=k1", hours=3), "seen"),
        (proof("six", None, hours=4), "seen"),
        (proof("seven", None, "other", hours=5), "seen"),
        (proof("eight", None, "other", hours=30), "seen"),
    ]
    for inbound, action in seen:
        assert [link.action for link in registry.take(inbound).links] == ([action] if action else [])


def test_an_account_of_a_network_is_noted_by_each_of_ours_and_then_no_more(registry: Registry) -> None:
    handles = (Handle(kind="telegram_user", value="7", proof="channel"),)
    for name, account, actions in (
        ("one", "bot", ["linked"]),
        ("two", "bot", []),
        ("three", "second-bot", ["seen"]),
        ("four", "second-bot", []),
    ):
        plan = registry.take(message(name, handles=handles, account=account, received_at=NOW + 9 * DAY))
        assert [link.action for link in plan.links] == actions, name


def test_who_shows_their_account_too_keeps_a_number_that_was_silent(registry: Registry) -> None:
    phone, later = ("phone", "+48601100200", "verified"), NOW + timedelta(days=200)
    one = registry.take(shown("one", CHAT, phone))
    again = registry.take(shown("two", CHAT, phone, ANN, received_at=later))
    assert again.customer == one.customer
    assert {(link.observation.key[1], link.action) for link in again.links} == {
        ("email", "linked"),
        ("phone", "seen"),
    }


def test_an_address_that_was_silent_for_long_and_comes_with_a_new_account_is_in_dispute(
    registry: Registry,
) -> None:
    late, login = NOW + STALE_AFTER["email"] + timedelta(1), ("external_id", "42", "authoritative")
    before = registry.take(shown("before", ANN))
    after = registry.take(shown("after", login, ANN, received_at=late))
    assert after.customer != before.customer
    assert [(s.customer, s.reason) for s in after.suggestions] == [(before.customer, "changed_hands")]
    assert registry.take(shown("alone", ANN, received_at=late)).trust == "claimed"


def test_a_message_that_proves_handles_of_three_joins_nobody(registry: Registry) -> None:
    """Even if one of them is out of the question: somebody else's login is among them (I4)."""
    ben, phone = ("external_id", "43", "authoritative"), ("phone", "+48601100200", "verified")
    registry.take_all(
        [shown("ann", ("external_id", "42", "authoritative"), ANN), shown("ben", ben), shown("phone", phone)]
    )
    plan = registry.take(shown("three", ben, ANN, phone))
    assert plan.merge is None
    assert {s.reason for s in plan.suggestions} == {"verified_together", "different_logins"}


def test_a_proven_handle_never_goes_to_who_only_claims_it(registry: Registry) -> None:
    claimant = registry.take(shown("one", ("email", "ann@x.example", "claimed")))
    holder = registry.take(shown("two", ANN))
    assert holder.is_new
    assert holder.customer != claimant.customer
    assert [(s.customer, s.reason) for s in holder.suggestions] == [(claimant.customer, "claimed_before")]
    later = registry.take(shown("three", ("email", "ann@x.example", "claimed")))
    assert (later.customer, later.trust) == (holder.customer, "claimed")


def test_of_several_claimants_the_earliest_is_meant(registry: Registry) -> None:
    phone = ("phone", "+48601100200", "claimed")
    late = registry.take(shown("late", CHAT, phone))
    early = registry.take(
        shown("early", ("telegram_user", "888", "channel"), phone, received_at=NOW - timedelta(1))
    )
    assert registry.take(shown("claim", phone)).customer == early.customer != late.customer


def test_the_strongest_proof_is_the_trust(registry: Registry) -> None:
    assert registry.take(shown("one", CHAT, ANN)).trust == "verified"
    assert registry.take(shown("two", ("external_id", "42", "authoritative"), CHAT)).trust == "authoritative"


def test_a_failed_authentication_stays_apart_without_a_claim(registry: Registry) -> None:
    registry.take(shown("one", ANN))
    forged = registry.take(mail("two", "ann@x.example", authentication="fail"))
    assert forged.is_new
    assert (forged.trust, forged.links, forged.suggestions) == ("none", (), ())


def test_an_account_may_keep_claims_apart(registry: Registry) -> None:
    ann = registry.take(shown("one", ANN))
    claim = ("email", "ann@x.example", "claimed")
    first, second = (registry.take(shown(name, claim), "separate") for name in ("two", "three"))
    assert len({ann.customer, first.customer, second.customer}) == 3
    assert [(s.customer, s.reason) for s in first.suggestions] == [(ann.customer, "claimed_handle")]
    assert [link.observation.proof for link in first.links] == ["claimed"]


@pytest.mark.parametrize("policy", ["attach", "separate"])
@pytest.mark.parametrize(
    "again",
    [
        shown("one", CHAT, ("email", "ann@x.example", "claimed")),
        shown("one", ANN, CHAT),
        shown("one", ("email", "ann@x.example", "claimed"), ("phone", "+48601100200", "claimed")),
        message("one"),
        mail("one", "ann@x.example", authentication="fail"),
    ],
)
def test_a_message_read_again_is_decided_the_same(policy: Any, again: Any) -> None:
    for before in ([], [shown("before", ANN)], [shown("before", ("email", "ann@x.example", "claimed"))]):
        registry = Registry()
        registry.take_all(before)
        assert registry.take(again, policy) == registry.take(again, policy)


def test_after_a_merge_the_root_is_meant(registry: Registry) -> None:
    one, two = registry.take(shown("one", CHAT)), registry.take(shown("two", ANN))
    assert two.customer is not None
    for key, holder in registry.facts.verified.items():
        registry.facts.verified[key] = holder._replace(customer=two.customer)
    again = registry.take(shown("one", CHAT))
    assert again.customer == two.customer != one.customer
