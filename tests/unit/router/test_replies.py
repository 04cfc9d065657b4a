"""Automatic answers: the fences, and what is written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from contracts import reply_tokens
from contracts.inbound import InboundMessage
from contracts.rules import Actions, Rule, Template
from contracts.workspace import Account, MailSender
from router.facts import Plan
from router.replies import compose
from router.ruleset import RuleSet
from tests.support.routing import NOW, WORKSPACE, Desk, chat, mail, message, rule_set

KEY = b"secret"
SENDER = MailSender(name="Shop Support", address="support@shop.example", signature="Your shop")
HELLO = Template(
    id="hello",
    text="Hello {name}, your number is {number}. We open {next_opening}.",
    translations={"pl": "Dzień dobry, numer {number}. Otwieramy: {next_opening}."},
)
ANSWERS = Rule(id="answer", name="answer", when="message received", actions=Actions(auto_reply="hello"))


def rules(**changes: Any) -> RuleSet:
    given = {"sender": SENDER, "templates": (HELLO,), "languages": ("pl", "en")} | changes
    return rule_set(ANSWERS, **given)


def taken(inbound: InboundMessage, **changes: Any) -> Plan:
    return Desk(rules(**changes)).take(inbound)


def mailed(name: str = "m", **given: Any) -> InboundMessage:
    return mail(name, "Ann@X.example", **given)


def test_a_mail_is_answered_once_in_24_hours() -> None:
    desk = Desk(rules())
    first = desk.take(mailed("one"))
    assert first.placement.reply is not None
    assert first.record["auto_reply"] == {"template": "hello", "sent_to": "email"}
    again = desk.take(mailed("two"), now=NOW + timedelta(hours=23))
    assert again.placement.reply is None
    assert again.record["auto_reply"]["refused"] == "answered_before"
    assert desk.take(mailed("three"), now=NOW + timedelta(hours=24)).placement.reply is not None


@pytest.mark.parametrize(
    ("inbound", "reason"),
    [
        (mailed(marks=("automated",)), "automated"),
        (mailed(authentication="fail"), "forged"),
        (message(fields={"department": "support"}), "no_address"),
        (mail("own", "support+x@shop.example"), "own_address"),
        (chat("wall", channel="facebook_wall"), "no_address"),
        (message("call", channel="call", kind="call", fields={"event": "missed"}), "not_a_message"),
        (chat("echo", direction="out"), "not_a_message"),
    ],
)
def test_what_is_never_answered(inbound: InboundMessage, reason: str) -> None:
    plan = taken(inbound)
    assert plan.placement.reply is None
    assert plan.record["auto_reply"] == {"template": "hello", "refused": reason}


def test_a_chat_is_answered_once_in_24_hours_where_it_is() -> None:
    desk = Desk(rules())
    first = desk.take(chat("one", channel="chat"))
    assert first.placement.reply is not None
    assert first.placement.reply.to == ("chat", "bot", first.placement.message.conversation_key)
    assert desk.take(chat("two", channel="chat")).record["auto_reply"]["refused"] == "answered_before"


def test_without_a_sender_no_mail_leaves() -> None:
    assert taken(mailed(), sender=None).record["auto_reply"]["refused"] == "no_sender"


def test_our_own_mailboxes_are_known_by_their_accounts_too() -> None:
    own = Account(channel="email", id="support", address="Help@Shop.example", department="support")
    plan = taken(mail("own", "help@shop.example"), accounts=(own,))
    assert plan.record["auto_reply"]["refused"] == "own_address"


def test_the_mail_threads_back_and_cannot_start_a_loop() -> None:
    inbound = mailed(
        "first@x.example", proof="verified", subject="Drukarka", text="Moja drukarka nie działa od wczoraj"
    )
    plan = taken(inbound)
    assert plan.placement.reply is not None
    ticket = msgspec.structs.replace(plan.ticket, number=1042)
    answer = compose(plan.placement.reply, ticket, inbound, rules(), [KEY], NOW)
    token = reply_tokens.found(answer.reply_to or "")[0]
    key = reply_tokens.workspace_key(KEY, WORKSPACE)
    assert reply_tokens.opened([key], WORKSPACE, token, ["ann@x.example"]) == (1042, True)
    # Friday 15:00, and open until 17:00.
    assert answer.text == "Dzień dobry, numer 1042. Otwieramy: piątek 15:00.\n\nYour shop"
    assert (answer.subject, answer.recipient) == ("Re: Drukarka", "ann@x.example")
    assert (answer.sender, answer.bounces_to) == ("Shop Support <support@shop.example>", "")
    assert answer.headers == {"Auto-Submitted": "auto-replied", "X-Auto-Response-Suppress": "All"}
    assert (answer.in_reply_to, answer.references) == ("first@x.example", ("first@x.example",))
    assert compose(plan.placement.reply, ticket, inbound, rules(), [KEY], NOW) == answer


def test_a_subject_cannot_add_a_header() -> None:
    inbound = mailed(proof="verified", subject="Hi\r\nBcc: all@x.example")
    plan = taken(inbound)
    assert plan.placement.reply is not None
    answer = compose(plan.placement.reply, plan.ticket, inbound, rules(), [], NOW)
    assert answer.subject == "Re: Hi Bcc: all@x.example"
    assert answer.message_id is None


def test_a_form_is_answered_by_mail_and_a_chat_in_its_conversation() -> None:
    form = taken(message(email="ann@x.example", fields={"department": "support"}))
    assert form.placement.reply is not None
    assert form.placement.reply.to == ("email", "support", "ann@x.example")
    direct = taken(chat("one"))
    assert direct.placement.reply is not None
    assert direct.placement.reply.to == ("telegram", "bot", "555")
