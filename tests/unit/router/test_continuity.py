"""Which ticket a message joins. A quoted id alone opens no door."""

from __future__ import annotations

from uuid import UUID

import pytest

from contracts.inbound import Handle, NamedTicket, Recipient
from router.facts import is_echo, is_routed
from tests.support.routing import DAY, NOW, Desk, chat, mail, message, rule_set


@pytest.fixture
def desk() -> Desk:
    return Desk(rule_set())


def test_a_chat_stays_on_its_ticket(desk: Desk) -> None:
    first, second = desk.take(chat("one")), desk.take(chat("two"))
    assert (second.ticket.id, second.ticket.messages, second.placement.version) == (first.ticket.id, 2, 2)
    assert second.placement.decided_by == "thread"
    assert desk.take(chat("three", conversation="777")).ticket.id != first.ticket.id


def test_a_chat_of_another_account_is_another_conversation(desk: Desk) -> None:
    first = desk.take(chat("one"))
    assert desk.take(chat("two", account="other-bot")).ticket.id != first.ticket.id


def test_a_chat_is_found_under_each_of_its_names(desk: Desk) -> None:
    """WhatsApp tells a user id where it told the number alone before."""
    by_number = desk.take(chat("one", "48601100200"))
    both = desk.take(chat("two", "PL.777", conversation_aliases=("48601100200",)))
    assert {both.ticket.id, desk.take(chat("three", "PL.777")).ticket.id} == {by_number.ticket.id}


@pytest.mark.parametrize(("status", "after"), [("new", "new"), ("open", "open"), ("waiting", "open")])
def test_the_customer_s_answer_moves_a_waiting_ticket(desk: Desk, status: str, after: str) -> None:
    first = desk.take(chat("one"))
    desk.set(first, status=status)
    assert desk.take(chat("two")).ticket.status == after


def test_a_solved_ticket_reopens_within_its_days_and_not_after(desk: Desk) -> None:
    first = desk.take(chat("one"))
    desk.set(first, status="solved", updated_at=NOW)
    late = desk.take(chat("late"), NOW + 7 * DAY + DAY / 24)
    assert late.placement.opens
    assert late.ticket.refers_to == first.ticket.id
    desk = Desk(rule_set())
    first = desk.take(chat("one"))
    desk.set(first, status="solved", updated_at=NOW)
    again = desk.take(chat("again"), NOW + 7 * DAY)
    assert (again.ticket.id, again.ticket.status, again.placement.reopens) == (first.ticket.id, "open", True)


def test_a_reply_by_mail_joins_by_any_stored_reference(desk: Desk) -> None:
    first = desk.take(mail("m1", "Anna@x.example"))
    reply = desk.take(mail("m2", "anna@X.example", "m1", "not-ours"))
    assert reply.ticket.id == first.ticket.id
    assert desk.take(mail("m3", "anna@x.example", "m2")).ticket.id == first.ticket.id


def test_a_stranger_who_quotes_an_id_gets_a_ticket_of_their_own(desk: Desk) -> None:
    first = desk.take(mail("m1", "anna@x.example"))
    other = desk.take(mail("m2", "eve@y.example", "m1"))
    assert other.placement.opens
    assert other.ticket.refers_to == first.ticket.id
    assert other.record["continuity"]["reason"] == "mail.not_a_participant"


def test_a_mail_that_failed_authentication_never_joins(desk: Desk) -> None:
    first = desk.take(mail("m1", "anna@x.example"))
    forged = desk.take(mail("m2", "anna@x.example", "m1", authentication="fail"))
    assert forged.placement.opens
    assert forged.ticket.refers_to == first.ticket.id
    assert forged.record["continuity"]["reason"] == "mail.authentication_failed"


@pytest.mark.parametrize(("proof", "joins"), [("verified", True), ("claimed", False)])
def test_only_a_proven_sender_brings_others_in(desk: Desk, proof: str, joins: bool) -> None:
    copied = (Recipient(value="Bob@y.example", role="cc"),)
    first = desk.take(mail("m1", "anna@x.example", proof=proof, recipients=copied))
    reply = desk.take(mail("m2", "bob@y.example", "m1", proof="verified"))
    assert (reply.ticket.id == first.ticket.id) is joins


@pytest.mark.parametrize(("proof", "joins"), [("verified", True), ("claimed", False)])
def test_an_address_that_is_typed_into_a_chat_takes_no_part_in_it(
    desk: Desk, proof: str, joins: bool
) -> None:
    first = desk.take(chat("one"))
    handles = (
        Handle(kind="telegram_user", value="555", proof="channel"),
        Handle(kind="email", value="victim@x.example", proof=proof),
    )
    assert desk.take(chat("two", handles=handles)).ticket.id == first.ticket.id
    desk.facts.by_ref[(first.ticket.workspace, "number", "1042")] = (first.ticket.id,)
    named = (NamedTicket(number=1042, where="subject"),)
    later = desk.take(mail("m1", "victim@x.example", proof="verified", tickets=named))
    assert (later.ticket.id == first.ticket.id) is joins


def test_an_older_reference_joins_when_the_newer_one_is_another_person_s(desk: Desk) -> None:
    mine = desk.take(mail("m1", "anna@x.example"))
    desk.take(mail("m2", "eve@y.example"))
    assert desk.take(mail("m3", "anna@x.example", "m1", "m2")).ticket.id == mine.ticket.id


def test_every_form_opens_a_ticket(desk: Desk) -> None:
    first = desk.take(message("one", email="anna@x.example", text="one"))
    assert desk.take(message("two", email="anna@x.example", text="two")).ticket.id != first.ticket.id


def test_what_an_agent_wrote_elsewhere_wakes_no_ticket(desk: Desk) -> None:
    first = desk.take(chat("one"))
    desk.set(first, status="waiting")
    echo = chat("two", kind="echo", direction="out", handles=())
    assert is_echo(echo)
    assert not is_routed(echo)
    answered = desk.take(echo)
    assert (answered.ticket.id, answered.ticket.status, answered.ticket.messages) == (
        first.ticket.id,
        "waiting",
        2,
    )


@pytest.mark.parametrize("kind", ["token", "number"])
@pytest.mark.parametrize("sender", ["anna@x.example", "eve@y.example"])
def test_only_a_token_of_ours_lets_a_stranger_to_a_ticket_in(desk: Desk, kind: str, sender: str) -> None:
    """A signed token was made for the address that writes; a bare number is one that anybody can write."""
    first = desk.take(mail("m1", "anna@x.example"))
    desk.facts.by_ref[(first.ticket.workspace, kind, "1042")] = (first.ticket.id,)
    named = NamedTicket(
        number=1042, where="subject" if kind == "number" else "address", signed=kind == "token"
    )
    second = desk.take(mail("m2", sender, tickets=(named,)))
    if kind == "token" or sender == "anna@x.example":
        assert second.ticket.id == first.ticket.id
        reason = "mail.token" if kind == "token" else "mail.ticket_number"
    else:
        assert second.ticket.refers_to == first.ticket.id
        reason = "mail.not_a_participant"
    assert second.record["continuity"]["reason"] == reason


def test_a_forged_sender_joins_by_no_number(desk: Desk) -> None:
    first = desk.take(mail("m1", "anna@x.example"))
    desk.facts.by_ref[(first.ticket.workspace, "number", "1042")] = (first.ticket.id,)
    named = NamedTicket(number=1042, where="message_id")
    forged = desk.take(mail("m2", "anna@x.example", tickets=(named,), authentication="fail"))
    assert forged.placement.opens
    assert forged.ticket.refers_to == first.ticket.id


def test_a_program_never_reopens_a_ticket(desk: Desk) -> None:
    first = desk.take(mail("m1", "anna@x.example"))
    desk.set(first, status="solved", updated_at=NOW)
    listed = desk.take(mail("m2", "anna@x.example", "m1", marks=("automated",)))
    assert (listed.placement.opens, listed.ticket.refers_to) == (True, first.ticket.id)
    assert listed.record["continuity"]["reason"] == "mail.reference.automated"


def test_answers_to_a_mail_that_never_came_here_find_each_other(desk: Desk) -> None:
    first = desk.take(mail("m1", "anna@x.example", "unseen"))
    assert desk.take(mail("m2", "anna@x.example", "unseen")).ticket.id == first.ticket.id
    stranger = desk.take(mail("m3", "eve@y.example", "unseen"))
    assert stranger.placement.opens


def test_strangers_refer_to_what_they_quote_and_not_to_each_other(desk: Desk) -> None:
    first = desk.take(mail("m1", "anna@x.example"))
    strangers = [
        desk.take(
            mail(f"s{n}", f"eve{n}@y.example", "m1", received_at=NOW + n * DAY / 24), customer=UUID(int=n)
        )
        for n in range(1, 4)
    ]
    assert [one.ticket.refers_to for one in strangers] == [first.ticket.id] * 3
