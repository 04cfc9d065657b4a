"""One test for each public failure of a help desk that let strangers be somebody else (trust model, e.7.4). The names are the
issues' and pull requests'."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from contracts.errors import Refused
from contracts.ids import workspace_id
from contracts.inbound import Handle, InboundMessage, NamedTicket
from ingest.chat_frames import User
from ingest.chat_users import signed_in, user_hash
from router import replies
from router.replies import Reply, addressee, compose
from tests.support.identity import Registry, shown
from tests.support.routing import DAY, NOW, Desk, mail, message, rule_set

SIGNED_AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
EXPIRES = int(SIGNED_AT.timestamp()) + 600
VICTIM = ("email", "victim@x.example", "verified")
CLAIM = ("email", "victim@x.example", "claimed")
LOGIN, OTHER_LOGIN = ("external_id", "1", "authoritative"), ("external_id", "2", "authoritative")
BROWSER = ("visitor", "v-1", "channel")


def take(*messages: InboundMessage) -> tuple[Registry, list[UUID | None]]:
    registry = Registry()
    return registry, [registry.take(one).customer for one in messages]


def signed(**given: Any) -> Any:
    return signed_in(User(**given), ("secret",), "shop", "chat", SIGNED_AT)


@pytest.mark.parametrize("given", ["", " ", "0"])
def test_chatwoot_2694_an_empty_hash_is_nobody_s_word(given: str) -> None:
    with pytest.raises(Refused):
        signed(id="victim", email="victim@x.example", hash=given, expires=EXPIRES)


def test_chatwoot_4805_a_random_hash_verifies_nobody() -> None:
    with pytest.raises(Refused):
        signed(id="victim", hash="victim", expires=EXPIRES)
    assert signed(id="victim", hash=user_hash("secret", "shop", "chat", "victim", EXPIRES), expires=EXPIRES)


def test_chatwoot_2762_a_typed_address_merges_nobody() -> None:
    registry, customers = take(
        shown("victim", VICTIM), shown("browser", BROWSER), shown("typed", BROWSER, CLAIM)
    )
    assert customers[2] == customers[1] != customers[0]
    assert {key[1]: held.customer for key, held in registry.facts.verified.items()} == {
        "email": customers[0],
        "visitor": customers[1],
    }


def test_chatwoot_2811_equal_addresses_do_not_join_two_logins() -> None:
    typed = [shown("a", LOGIN, CLAIM), shown("b", OTHER_LOGIN, CLAIM)]
    proven = [shown("c", LOGIN, VICTIM), shown("d", OTHER_LOGIN, VICTIM)]
    for messages in (typed, proven, [*typed, *proven], [*proven, *typed]):
        _, customers = take(*messages)
        assert len(set(customers)) == 2


def test_chatwoot_4728_who_logs_in_next_on_one_browser_is_not_the_one_before() -> None:
    """Impersonated users, one browser: the chat before a login is nobody's once two have logged in there."""
    before, alice = shown("before", BROWSER), shown("alice", BROWSER, LOGIN)
    bob, after = shown("bob", BROWSER, OTHER_LOGIN), shown("after", BROWSER)
    registry, customers = take(before, alice, bob, after)
    assert customers[2] not in (customers[0], customers[1])
    assert customers[1] == registry.facts.verified[alice.workspace, *LOGIN[:2]].customer


def test_chatwoot_1937_two_workspaces_have_two_customers_of_one_address() -> None:
    elsewhere = shown("two", VICTIM, workspace=workspace_id("other"))
    _, customers = take(shown("one", VICTIM), elsewhere)
    assert customers[0] != customers[1]


def test_chatwoot_14884_what_a_form_says_later_changes_no_signed_identity() -> None:
    """Their update endpoint took an id without its hash: here what is not signed is a claim, whenever it comes."""
    registry, customers = take(
        shown("signed", LOGIN, VICTIM),
        shown("update", BROWSER, ("external_id", "1", "claimed"), ("email", "evil@x.example", "claimed")),
    )
    assert customers[1] != customers[0]
    held = registry.facts.verified[shown("x").workspace, *LOGIN[:2]]
    assert held.customer == customers[0]
    assert not [key for key in registry.facts.verified if key[2] == "evil@x.example"]


def test_chatwoot_14944_an_unsigned_address_or_number_is_no_gate_to_a_merge() -> None:
    phone = ("phone", "+48601100200", "verified")
    _, customers = take(
        shown("victim", VICTIM, phone),
        shown("browser", BROWSER),
        shown("email", BROWSER, CLAIM),
        shown("phone", BROWSER, (*phone[:2], "claimed")),
    )
    assert set(customers[1:]) == {customers[1]} != {customers[0]}


def test_chatwoot_15338_a_signature_for_one_id_vouches_for_no_other_detail() -> None:
    """The hash covers the id: the address beside it stays a claim, and leads to nobody's record."""
    found = signed(
        id="7",
        email="victim@x.example",
        hash=user_hash("secret", "shop", "chat", "7", EXPIRES),
        expires=EXPIRES,
    )
    assert not found.email_verified
    _, customers = take(
        shown("victim", VICTIM), shown("signed", ("external_id", "7", "authoritative"), CLAIM)
    )
    assert customers[0] != customers[1]


@pytest.mark.parametrize("channel", ["webform", "email"])
def test_zendesk_2025_10_an_unproven_address_is_sent_no_words_of_a_stranger(channel: str) -> None:
    """Forms and forged mails in a victim's name made desks write the attacker's text to the victim."""
    words = "YOU ARE HACKED call +1 900"
    attack = message(
        "attack",
        channel=channel,
        account="contact" if channel == "webform" else "support",
        subject=words,
        handles=(Handle(kind="email", value="victim@x.example", proof="claimed"),),
    )
    desk = Desk(rule_set())
    ticket = desk.take(attack).ticket
    to = addressee(attack, desk.rules)
    assert to is not None
    template = replies.Template(id="t", text="Hello {name}, we have {subject}.", subject="Re: {subject}")
    sent = compose(Reply(to, template), ticket, attack, desk.rules, (), NOW)
    assert words not in f"{sent.subject} {sent.text}"


def test_alga_psa_3241_a_forged_reference_opens_no_ticket() -> None:
    desk = Desk(rule_set())
    victim = desk.take(mail("m1", "victim@x.example", proof="verified"))
    for proof, authentication in (("verified", "pass"), ("claimed", "none"), ("claimed", "fail")):
        attack = mail(
            f"a-{proof}-{authentication}",
            "eve@evil.example",
            "m1",
            proof=proof,
            authentication=authentication,
        )
        assert desk.take(attack).ticket.id != victim.ticket.id
    spoofed = mail("spoofed", "victim@x.example", "m1", proof="claimed", authentication="fail")
    assert desk.take(spoofed).ticket.id != victim.ticket.id


def test_osticket_748_a_number_in_the_subject_opens_no_ticket() -> None:
    desk = Desk(rule_set())
    victim = desk.take(mail("m1", "victim@x.example", proof="verified"))
    desk.facts.by_ref[(victim.ticket.workspace, "number", "1")] = (victim.ticket.id,)
    named = (NamedTicket(number=1, where="subject"),)
    attack = mail("m2", "eve@evil.example", proof="verified", tickets=named)
    assert desk.take(attack, NOW + DAY).ticket.id != victim.ticket.id


def test_every_public_failure_has_its_test() -> None:
    chatwoot = (2694, 2762, 2811, 4728, 1937, 4805, 14884, 14944, 15338)
    wanted = {
        *(f"chatwoot_{number}" for number in chatwoot),
        "zendesk_2025_10",
        "alga_psa_3241",
        "osticket_748",
    }
    found = {name for name in wanted for test in globals() if test.startswith(f"test_{name}_")}
    assert found == wanted
