"""Bytes of any kind, and mails built to hurt a parser: a message or Poison, soon, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.base import encode
from contracts.errors import Poison
from contracts.inbound import InboundMessage
from ingest.channel import Raw
from ingest.channels.email import CHANNEL

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
PIECES = st.sampled_from(
    [
        b"From: ",
        b"Subject: =?utf-8?B?",
        b"=?utf-8?Q?=C3?=",
        b"Content-Type: multipart/mixed; boundary=a\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: text/plain; charset=utf-7\r\n",
        b"Content-Type: text/html; charset=hex\r\n",
        b"Content-Transfer-Encoding: base64\r\n",
        b"Content-Disposition: attachment; filename*0*=utf-8''%C3; filename*1=x\r\n",
        b"Date: 31 Feb 99999 25:61 +9999\r\n",
        b"\r\n",
        b"\n\n",
        b"--a\r\n",
        b"--a--\r\n",
        b"begin 644 x\n#`0``\n`\nend\n",
        b"> On Monday, Ann <a@b.example> wrote:\n",
        b"<div><blockquote>",
        b"\x00\xff\xfe",
        b'"<(;:,@\\',
    ]
)


def read(body: bytes) -> InboundMessage:
    raw = Raw(body=body, workspace=UUID(int=1), account="support", received_at=NOW)
    return CHANNEL.normalise(raw).messages[0]


@given(st.one_of(st.binary(max_size=2000), st.lists(st.one_of(PIECES, st.binary(max_size=20))).map(b"".join)))
def test_any_bytes_are_a_message_or_poison(body: bytes) -> None:
    if not body.strip():
        with pytest.raises(Poison):
            read(body)
        return
    message = read(body)
    assert encode(message) == encode(read(body))
    assert "\0" not in (message.text or "")


def nested(depth: int) -> bytes:
    return (
        b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(depth))
        + b"\n\nx"
    )


@pytest.mark.parametrize(
    ("body", "mark"),
    [
        (b"Content-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\n\n" * 200_000, "too_many_parts"),
        (nested(2000), "too_deep"),
        (b"From: a@example.org\nTo: " + b"(" * 500 + b"\n\nhello", "addresses_cut"),
        (b"To: " + b"a@example.org, " * 1000 + b"\n\nhello", "addresses_cut"),
        (b"X: y\n" * 5000 + b"\nhello", "headers_cut"),
        (b"Subject: " + b"x" * 100_000 + b"\n\nhello", "headers_cut"),
        (b"X-A: y\n" * 50_000 + b"\nhello", "header_block_too_large"),
        (b"Subject: hello\n\nab\0c", "nul_removed"),
    ],
)
def test_limits_are_marked_and_the_mail_is_kept(body: bytes, mark: str) -> None:
    message = read(body)
    assert mark in message.marks
    assert message.raw is not None
    assert message.raw.size == len(body)


@pytest.mark.parametrize(
    "body",
    [
        b"Subject: " + b"=?utf-8?q?" * 1600 + b"\n\nx",
        b"Content-Type: text/plain" + b";a" * 100_000 + b"\n\nx",
        b"Subject: x\n\n" + b"begin 644 a\n" * 50_000,
        b"Subject: x\n\n" + b"> q\n\n" * 50_000,
        b"Subject: x\n\n" + b"On 1 May 2020, Ann <a@b.example> wrote:\n> q\n" * 20_000,
        b"Subject: x\n\n" + b"-" * 500_000,
        b"Content-Type: text/html\n\n" + b"<div>" * 100_000,
    ],
)
def test_a_mail_built_to_be_slow_is_read(body: bytes) -> None:
    assert read(body).raw is not None
