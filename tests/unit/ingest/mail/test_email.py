"""A mail as a message: what later stages find it by, and reports of one long word."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from contracts.inbound import InboundMessage
from ingest.channel import Raw
from ingest.channels.email import CHANNEL

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
REPORT = b"From: MAILER-DAEMON@mx.example\nReturn-Path: <>\nSubject: failure notice\n\n"


def read(body: bytes) -> InboundMessage:
    raw = Raw(body=body, workspace=UUID(int=1), account="support", received_at=NOW)
    return CHANNEL.normalise(raw).messages[0]


def test_an_answer_names_what_the_first_mail_is_found_by() -> None:
    first = read(b"From: ann@x.example\nMessage-ID: <one@x.example>\nSubject: Order\n\nhello")
    answer = read(
        b"From: ann@x.example\nMessage-ID: <two@x.example>\nIn-Reply-To: <one@x.example>\n"
        b"Subject: Re: Order\n\nmore"
    )
    assert first.fields["message_id"] == "one@x.example"
    assert first.fields["message_id"] in answer.reply_to


def test_a_mail_without_an_id_is_found_by_none() -> None:
    assert "message_id" not in read(b"From: ann@x.example\nSubject: Order\n\nhello").fields
    assert "message_id" not in read(b"From: ann@x.example\nMessage-ID: <>\n\nhello").fields


def test_a_boundary_inside_one_long_line_is_read() -> None:
    body = b"Content-Type: multipart/mixed; boundary=-\n\n" + b"-" * 8_000_000
    assert read(body).raw is not None


def test_a_report_of_one_long_word_is_read() -> None:
    message = read(REPORT + b"a" * 600_000)
    assert message.kind == "bounce"
    assert "failed_recipient" not in message.fields


def test_a_long_return_address_is_whole() -> None:
    address = "bounces+" + "a1" * 40 + "@lists.example"
    message = read(REPORT + f"User unknown, it was meant for {address} there\n".encode())
    assert message.fields["failed_recipient"] == address
