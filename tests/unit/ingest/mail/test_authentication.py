"""Only our own server's word counts, and forging it never makes a sender verified."""

from __future__ import annotations

import pytest

from ingest.mail.authentication import MICROSOFT, verdict
from ingest.mail.headers import split

TRUSTED = ("mx.shop.example",)
FROM = b"From: Ann <ann@example.org>\n"
PASS = b"Authentication-Results: mx.shop.example; dmarc=pass header.from=example.org\n"
REPORT = b"Authentication-Results: mx.shop.example; %s\n"
SPF = REPORT % b"spf=pass"


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (PASS + FROM, "pass"),
        (
            b"Authentication-Results: MX.shop.example 1;\n spf=fail (x);\n dmarc=pass (p=none\n dis=none) header.from=Example.org\n"
            + FROM,
            "pass",
        ),
        (b"Authentication-Results: mx.shop.example; dmarc=fail header.from=example.org\n" + FROM, "fail"),
        (
            b"Authentication-Results: mx.shop.example; spf=pass; dkim=pass header.d=example.org\n" + FROM,
            "none",
        ),
        (b"Authentication-Results: evil.example; dmarc=pass header.from=example.org\n" + FROM, "none"),
        (
            b"Authentication-Results: mx.shop.example.evil.example; dmarc=pass header.from=example.org\n"
            + FROM,
            "none",
        ),
        (b"Authentication-Results: evil.example (mx.shop.example; dmarc=pass); spf=pass\n" + FROM, "none"),
        (
            b'Authentication-Results: evil.example; x="; mx.shop.example; dmarc=pass header.from=example.org"\n'
            + FROM,
            "none",
        ),
        (
            b"Authentication-Results: mx.shop.example; spf=pass (dmarc=pass header.from=example.org)\n"
            + FROM,
            "none",
        ),
        (b"Authentication-Results: mx.shop.example; dmarc=pass header.from=evil.example\n" + FROM, "none"),
        (
            b"Authentication-Results: mx.shop.example; dmarc=fail header.from=example.org\n" + PASS + FROM,
            "fail",
        ),
        (
            b"ARC-Authentication-Results: i=1; mx.shop.example; dmarc=pass header.from=example.org\n" + FROM,
            "none",
        ),
        (
            REPORT % b'spf=pass smtp.mailfrom="x; dmarc=pass header.from=example.org "@evil.example' + FROM,
            "none",
        ),
        (
            REPORT % b'spf=pass smtp.mailfrom="a\\" dmarc=pass header.from=example.org "@evil.example' + FROM,
            "none",
        ),
        (
            REPORT % b'spf=pass smtp.mailfrom="("@e.example; dmarc=fail header.from=example.org; x=")"'
            + FROM,
            "fail",
        ),
        (REPORT % b'spf=pass (a " b); dmarc=pass header.from="example.org"' + FROM, "pass"),
        (REPORT % b"spf=pass (a (b \\) dmarc=fail) c) ; dmarc=pass header.from=example.org" + FROM, "pass"),
        (REPORT % b'spf=pass x="a")"b"; dmarc=pass header.from=example.org' + FROM, "pass"),
        (PASS + FROM + b"From: Eve <eve@evil.example>\n", "none"),
    ],
)
def test_outcome(block: bytes, expected: str) -> None:
    assert verdict(split(block), TRUSTED, "ann@example.org").outcome == expected


RECEIVED = b"Received: from %s by %s; Mon, 5 Jan 2026 12:00:00 +0000\n"
OURS = RECEIVED % (b"evil.example", b"mx.shop.example")
INSIDE = RECEIVED % (b"mx.shop.example", b"store.shop.example")


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (PASS + OURS + FROM, ("pass", False)),
        (INSIDE + PASS + OURS + FROM, ("pass", False)),
        (OURS + PASS + FROM, ("none", True)),
        (OURS + PASS + OURS + FROM, ("none", True)),
        # Our server calls itself otherwise in its `Received`: the one with the name that reports is the sender's.
        (SPF + INSIDE + PASS + OURS + FROM, ("none", True)),
        (INSIDE + PASS + FROM, ("none", True)),
    ],
)
def test_only_what_stands_above_the_line_of_our_server_counts(
    block: bytes, expected: tuple[str, bool]
) -> None:
    assert verdict(split(block), TRUSTED, "ann@example.org")[:2] == expected


def test_a_pass_is_the_word_of_a_server() -> None:
    assert verdict(split(PASS + FROM), TRUSTED, "ann@example.org").server == "mx.shop.example"
    microsoft = PASS.replace(b"mx.shop.example;", b"spf=pass;")
    found = verdict(split(microsoft + FROM), (MICROSOFT,), "ann@example.org")
    assert (found.outcome, found.server) == ("pass", MICROSOFT)


def test_no_trusted_server_means_nothing_is_known() -> None:
    assert verdict(split(PASS + FROM), (), "ann@example.org").outcome == "none"
