"""A seal says what a mail was before it was passed on: only the last one counts, of a sealer that is trusted, and only while our
own server finds all of them in order."""

from __future__ import annotations

import pytest

from ingest.mail.authentication import GOOGLE, Verdict, verdict
from ingest.mail.headers import split
from tests.unit.ingest.mail.test_senders import read

SERVER, SEALER = "mx.shop.example", "lists.example"
FROM = b"From: Ann <ann@example.org>\n"
OURS = b"Received: from out.lists.example by mx.shop.example; Mon, 5 Jan 2026 12:00:00 +0000\n"
SAW = "dmarc=pass (p=none) header.from=example.org"
SEALED = Verdict("pass", server=SERVER, sealer=SEALER)


def report(said: str = "dmarc=fail header.from=example.org; arc=pass (i=1) header.oldest-pass=0") -> bytes:
    return f"Authentication-Results: {SERVER}; spf=fail; {said}\n".encode()


def chain(instance: int = 1, domain: str = SEALER, saw: str = SAW, cv: str | None = None) -> bytes:
    """One set of seals."""
    cv = cv or ("none" if instance == 1 else "pass")
    return (
        f"ARC-Seal: i={instance}; a=rsa-sha256; t=1;\n cv={cv}; d={domain}; s=arc; b=AA==\n"
        f"ARC-Message-Signature: i={instance}; a=rsa-sha256; d={domain}; h=from:to; bh=AA=; b=AA==\n"
        f"ARC-Authentication-Results: i={instance}; mx.{domain}; spf=pass; {saw}\n"
    ).encode()


def seen(*fields: bytes, sealers: tuple[str, ...] = (SEALER,), server: str = SERVER) -> Verdict:
    return verdict(split(b"".join(fields) + FROM), (server,), "ann@example.org", sealers)


def test_the_last_seal_counts_if_our_server_finds_it_in_order() -> None:
    assert seen(report(), OURS, chain()) == SEALED
    assert seen(report(), OURS, chain(2), chain(1, "elsewhere.example", "dmarc=fail")) == SEALED
    assert seen(report("arc=pass"), OURS, chain(domain="Lists.Example.")) == SEALED


@pytest.mark.parametrize(
    "said",
    [
        "dmarc=fail header.from=example.org",
        "dmarc=fail header.from=example.org; arc=fail",
        "dmarc=fail header.from=example.org; arc=none",
        "dmarc=fail header.from=example.org; arc=pass; arc=fail",
        'dmarc=fail header.from=example.org; spf=fail smtp.helo="x; arc=pass"',
        "dmarc=fail header.from=example.org (arc=pass)",
        "dmarc=fail header.from=example.org; dkim=fail header.s=x arc=pass",
    ],
)
def test_without_our_server_s_word_no_seal_counts(said: str) -> None:
    assert seen(report(said), OURS, chain()) == Verdict("fail")


def test_the_sender_s_word_about_seals_is_not_our_server_s() -> None:
    assert seen(OURS, report(), chain()) == Verdict("none", ignored=True)


@pytest.mark.parametrize(
    "seals",
    [
        chain(domain="other.example"),
        chain(domain="x.lists.example"),
        chain(2, "other.example") + chain(1),
        chain(2, cv="none") + chain(1, "elsewhere.example"),
        chain(cv="pass"),
        chain(2, cv="fail") + chain(1),
        chain(saw="dmarc=fail header.from=example.org"),
        chain(saw="dmarc=pass header.from=evil.example"),
        chain(saw=f"{SAW}; dmarc=fail header.from=example.org"),
        chain(saw='spf=pass smtp.mailfrom="x; dmarc=pass header.from=example.org"@evil.example'),
        chain() + chain(),
        chain().replace(b"ARC-Message-Signature", b"X-Signature"),
        chain().replace(b"i=1", b"i=0"),
        chain().replace(b"i=1", b"i=51"),
        chain().replace(b"i=1", b"i=" + b"1" * 5000),
        b"",
    ],
)
def test_other_seals_do_not_count(seals: bytes) -> None:
    assert seen(report(), OURS, seals) == Verdict("fail")


def test_nobody_is_trusted_who_is_not_named() -> None:
    assert seen(report(), OURS, chain(), sealers=()) == Verdict("fail")


def test_a_pass_of_our_own_server_needs_no_seal() -> None:
    own = report("dmarc=pass header.from=example.org; arc=pass")
    assert seen(own, OURS, chain(domain="other.example")) == Verdict("pass", server=SERVER)


def test_our_server_s_own_seal_is_not_the_sender_s() -> None:
    """Google seals what it takes, above its `Received`, and reports below it."""
    google = report().replace(SERVER.encode(), GOOGLE.encode())
    taken = OURS.replace(b"mx.shop.example", b"mx.google.com")
    own = chain(2, "google.com", "arc=pass; dmarc=fail header.from=example.org")
    expected = Verdict("pass", server=GOOGLE, sealer=SEALER)
    assert seen(own, taken, google, chain(), server=GOOGLE) == expected


def test_a_sealed_sender_is_proven_by_both() -> None:
    mail = report() + OURS + chain() + FROM + b"Subject: s\n\nx"
    sender = read(mail, arc_sealers=SEALER).sender
    evidence = "authserv=mx.shop.example & arc=lists.example"
    assert (sender.authentication, sender.handles[0].proof, sender.handles[0].evidence) == (
        "pass",
        "verified",
        evidence,
    )
    assert read(mail).sender.authentication == "fail"
