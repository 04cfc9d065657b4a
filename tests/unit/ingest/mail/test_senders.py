"""Who is taken for the requester, and who is not."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from contracts.inbound import InboundMessage
from ingest.channel import Raw
from ingest.channels.email import CHANNEL

FORWARD = b"\n\nsee below\n\n-------- Forwarded Message --------\nSubject: s\nFrom: %s\nTo: b@example.org\n\nHelp!\n"


def read(mail: bytes, **options: str) -> InboundMessage:
    raw = Raw(
        body=mail,
        workspace=UUID(int=1),
        account="support",
        received_at=datetime(2026, 1, 5, tzinfo=UTC),
        options={"address": "support@shop.example", "authserv": "mx.shop.example"} | options,
    )
    return CHANNEL.normalise(raw).messages[0]


def address(message: InboundMessage) -> str:
    return message.sender.handles[0].value


def test_a_person_named_in_a_forward_is_never_verified() -> None:
    head = b"Authentication-Results: mx.shop.example; dmarc=pass header.from=evil.example\nFrom: eve@evil.example\nSubject: Fwd: s"
    message = read(head + FORWARD % b"Victim <victim@example.org>")
    assert (address(message), message.sender.handles[0].proof) == ("victim@example.org", "claimed")
    assert message.fields["forwarded_by"] == "eve@evil.example"


def test_a_forwarded_machine_mail_belongs_to_who_forwards_it() -> None:
    message = read(b"From: ann@example.org\nSubject: Fwd: s" + FORWARD % b"no-reply@bank.example")
    assert address(message) == "ann@example.org"


def test_reply_to_of_a_person_is_not_the_requester() -> None:
    message = read(b"From: Ann <ann@example.org>\nReply-To: other@example.org\nSubject: s\n\nx")
    assert address(message) == "ann@example.org"


def test_our_own_address_is_a_loop_unless_a_form_wrote_for_somebody() -> None:
    assert read(b"From: SUPPORT@shop.example\nSubject: s\n\nx").kind == "loop"
    form = read(b"From: support@shop.example\nReply-To: ann@example.org\nSubject: s\n\nx")
    assert (form.kind, address(form)) == ("message", "ann@example.org")


def test_list_mail_opens_a_ticket_and_is_marked() -> None:
    message = read(b"From: ann@example.org\nList-Id: <l.example.org>\nSubject: s\n\nx")
    assert (message.kind, message.marks) == ("message", ("automated",))


@pytest.mark.parametrize(
    ("field", "is_list"),
    [
        (b"List-Post: <https://x.example/>, <mailto:Talk@Lists.example?subject=a>", True),
        (b"List-Id: Talk <talk.lists.example>", True),
        (b"List-Post: <mailto:other@lists.example>", False),
        (b"List-Post: NO", False),
        (b"List-Id: <other.lists.example>", False),
        (b"List-Unsubscribe: <mailto:talk@lists.example>", False),
    ],
)
def test_a_list_that_stands_in_from_is_marked(field: bytes, is_list: bool) -> None:
    message = read(field + b"\nFrom: talk@lists.example\nSubject: s\n\nx")
    assert ("from_a_list" in message.marks) == is_list
    assert "from_a_list" not in read(field + b"\nFrom: ann@example.org\nSubject: s\n\nx").marks


PASS = b"Authentication-Results: mx.shop.example; dmarc=pass header.from=example.org\n"


def test_a_proven_sender_names_the_server_that_says_so() -> None:
    (proven,) = read(PASS + b"From: ann@example.org\nSubject: s\n\nx").sender.handles
    assert (proven.proof, proven.evidence) == ("verified", "authserv=mx.shop.example")
    (claimed,) = read(b"From: ann@example.org\nSubject: s\n\nx").sender.handles
    assert (claimed.proof, claimed.evidence) == ("claimed", None)


def test_what_somebody_sent_on_proves_nothing_about_its_writer() -> None:
    again = read(PASS + b"Resent-From: eve@evil.example\nFrom: ann@example.org\nSubject: s\n\nx")
    assert (address(again), again.sender.handles[0].proof) == ("ann@example.org", "claimed")


def test_a_list_that_rewrites_the_sender_proves_nothing_about_them() -> None:
    via = b"From: 'Ann Lee' via Help <help@example.org>\nReply-To: ann@home.example\nSubject: s\n\nx"
    listed = read(PASS + via)
    assert (address(listed), listed.sender.handles[0].proof) == ("ann@home.example", "claimed")
