"""Only our own server's word counts, and forging it never makes a sender verified."""

from __future__ import annotations

import pytest

from ingest.mail.authentication import verdict
from ingest.mail.headers import split

TRUSTED = ("mx.shop.example",)
FROM = b"From: Ann <ann@example.org>\n"
PASS = b"Authentication-Results: mx.shop.example; dmarc=pass header.from=example.org\n"


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
        (PASS + FROM + b"From: Eve <eve@evil.example>\n", "none"),
    ],
)
def test_outcome(block: bytes, expected: str) -> None:
    assert verdict(split(block), TRUSTED, "ann@example.org").outcome == expected


def test_no_trusted_server_means_nothing_is_known() -> None:
    assert verdict(split(PASS + FROM), (), "ann@example.org").outcome == "none"
