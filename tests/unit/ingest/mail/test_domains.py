"""A DMARC pass proves a domain; whether it proves the address is the domain's own affair."""

from __future__ import annotations

import pytest

from contracts.workspace import Account, Workspace
from ingest.accounts import options
from tests.unit.ingest.mail.test_senders import read

MAIL = "Authentication-Results: mx.shop.example; dmarc=%s header.from=%s\nFrom: ann@%s\nSubject: s\n\nx"


def proof(domain: str, given: str = "", outcome: str = "pass") -> tuple[str | None, str, str | None]:
    """What such a mail's sender is worth: DMARC, proof and evidence."""
    sender = read((MAIL % (outcome, domain, domain)).encode(), domain_trust=given).sender
    (handle,) = sender.handles
    return sender.authentication, handle.proof, handle.evidence


VERIFIED = ("pass", "verified", "authserv=mx.shop.example")
DOMAIN_ONLY, NOTHING = ("pass", "claimed", None), ("none", "claimed", None)


@pytest.mark.parametrize(
    ("domain", "given", "expected"),
    [
        ("example.org", "", VERIFIED),
        ("example.org", "example.org=domain", DOMAIN_ONLY),
        ("mail.example.org", "example.org=domain", DOMAIN_ONLY),
        ("notexample.org", "example.org=domain", VERIFIED),
        ("Example.ORG", "example.org=none", NOTHING),
        ("mail.example.org", "example.org=none,mail.example.org=address", VERIFIED),
        ("sharklasers.com", "", DOMAIN_ONLY),
        ("x.mailgun.org", "", DOMAIN_ONLY),
        ("x.mailgun.org", "x.mailgun.org=address", VERIFIED),
        ("mailgun.org", "x.mailgun.org=address", DOMAIN_ONLY),
        ("grr.la.example", "", VERIFIED),
    ],
)
def test_the_nearest_domain_decides(domain: str, given: str, expected: tuple[str, str, str | None]) -> None:
    assert proof(domain, given) == expected


def test_a_domain_is_known_in_either_of_its_spellings() -> None:
    assert proof("müller.example", "xn--mller-kva.example=none") == NOTHING
    assert proof("xn--mller-kva.example", "xn--mller-kva.example=none") == NOTHING


@pytest.mark.parametrize("trust", ["address", "domain", "none"])
def test_a_failure_is_one_whatever_the_domain(trust: str) -> None:
    assert proof("example.org", f"example.org={trust}", "fail") == ("fail", "claimed", None)


def test_the_workspace_s_setting_reaches_its_mail_accounts_alone() -> None:
    shop = Workspace(slug="shop", name="Shop", domain_trust={"a.example": "domain", "b.example": "none"})
    found = options(shop, Account(channel="email", id="mail"))
    assert found == {"domain_trust": "a.example=domain,b.example=none"}
    assert options(shop, Account(channel="telegram", id="bot")) == {}
