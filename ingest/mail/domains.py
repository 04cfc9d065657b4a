"""What the word of a sender's domain is worth. A DMARC pass (RFC 7489) proves the domain; that nobody else there wrote in the
sender's name, we take from the domain, which must not let its users choose the part before the @ (trust model, note 1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import idna

from contracts.workspace import DomainTrust
from ingest.mail.authentication import Verdict

# Guerrilla Mail: whoever opens the page picks the name to read and write as, and no mailbox has a password.
_GUERRILLA = (
    *(
        "guerrillamail.biz",
        "guerrillamail.com",
        "guerrillamail.de",
        "guerrillamail.info",
        "guerrillamail.net",
    ),
    *("guerrillamail.org", "guerrillamailblock.com", "grr.la", "pokemail.net", "sharklasers.com", "spam4.me"),
)
# Mailboxes without a password of the same sort.
_PUBLIC = ("dispostable.com", "maildrop.cc", "mailinator.com", "mailnesia.com", "yopmail.com")
# Programs of every customer write as any name: on sandbox domains of a sender of mails, on servers of a host of pages.
_SHARED = ("dreamhost.com", "mailgun.org")

ANY_NAME: Mapping[str, DomainTrust] = dict.fromkeys((*_GUERRILLA, *_PUBLIC, *_SHARED), "domain")
"""Domains, with all below them, that are known to let their users set any local part."""


def weighed(verdict: Verdict, sender: str, given: str) -> Verdict:
    """The verdict on the mail of `sender` as far as its domain is trusted. `given`: the workspace's own trust as
    `domain=trust`, comma list. Where the domain is trusted for itself alone a pass has no `server`: nobody vouches for the
    address. Where it is not trusted at all a pass is none. A failure stays one."""
    if verdict.outcome != "pass":
        return verdict
    trust = _trust(_name(sender.rpartition("@")[2]), {**ANY_NAME, **_configured(given)})
    if trust == "none":
        return verdict._replace(outcome="none", server=None)
    return verdict if trust == "address" else verdict._replace(server=None)


def _trust(domain: str, known: Mapping[str, DomainTrust]) -> DomainTrust:
    """The nearest domain above decides: DMARC's relaxed alignment lets one domain sign for another below or above it."""
    while domain:
        if domain in known:
            return known[domain]
        domain = domain.partition(".")[2]
    return "address"


def _name(domain: str) -> str:
    """As in DNS. What is no domain stays as it is, and is listed nowhere."""
    plain = domain.lower().rstrip(".")
    try:
        return idna.encode(plain, strict=True).decode()
    except idna.IDNAError:
        return plain


def _configured(given: str) -> dict[str, DomainTrust]:
    pairs = (one.rpartition("=") for one in given.split(",") if one)
    named = {trust: trust for trust in get_args(DomainTrust)}
    return {domain: named[trust] for domain, _, trust in pairs}
