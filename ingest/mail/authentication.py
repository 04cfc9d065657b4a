"""What our own mail server says about the sender (RFC 8601). Anybody can write that header: only the configured
server's counts, and only if the sender's domain is aligned (RFC 7489)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from ingest.mail.headers import Headers

Outcome = Literal["pass", "fail", "none"]

_COMMENT = re.compile(r"\([^()]*\)")
_METHOD = re.compile(r"(?:^|\s)dmarc\s*(?:/\s*\d+)?\s*=\s*([a-z]+)", re.IGNORECASE)
_FROM = re.compile(r"header\.from\s*=\s*\"?(?:[^\s;\"@]*@)?([^\s;\"]+)", re.IGNORECASE)


def outcome(fields: Headers, trusted: Iterable[str], sender: str) -> Outcome:
    """DMARC as reported by a trusted server for the domain of `sender`. No trusted server: nothing is known.

    A server that adds this header removes strangers' copies with its own name (RFC 8601, section 5). If two remain,
    one of them may be forged, so the worst one counts.
    """
    names = {name.strip().lower() for name in trusted if name.strip()}
    if not names or "@" not in sender or sum(name == "from" for name, _ in fields.fields) != 1:
        return "none"
    domain = sender.rpartition("@")[2].lower().rstrip(".")
    reported: set[Outcome] = set()
    for value in fields.all("authentication-results"):
        plain = _without_comments(value)
        server, _, results = plain.partition(";")
        if (server.split() or [""])[0].strip('"').lower() in names:
            reported.add(_dmarc(results, domain))
    reported.discard("none")
    if len(reported) > 1 or "fail" in reported:
        return "fail"
    return reported.pop() if reported else "none"


def _without_comments(value: str) -> str:
    for _ in range(10):
        value, changed = _COMMENT.subn(" ", value)
        if not changed:
            break
    return value


def _dmarc(results: str, domain: str) -> Outcome:
    for result in results.split(";"):
        found = _METHOD.search(result)
        if found is None:
            continue
        word = found[1].lower()
        if word == "pass":
            about = _FROM.search(result)
            return "pass" if about and about[1].lower().rstrip(".") == domain else "none"
        if word in ("fail", "permerror"):
            return "fail"
    return "none"
