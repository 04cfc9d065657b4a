"""What our own mail server says about the sender (RFC 8601). Anybody can write that header: only a configured server's counts,
only above the line at which that server took the mail from strangers, and only if the sender's domain is aligned (RFC 7489)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

from ingest.mail import headers
from ingest.mail.headers import Headers

Outcome = Literal["pass", "fail", "none"]

GOOGLE = "mx.google.com"
MICROSOFT = "protection.outlook.com"

_RESULTS = "authentication-results"
_OUTSIDE = re.compile(r'"(?:[^"\\]|\\.)*"?|[^"(]+|\(', re.DOTALL)
_INSIDE = re.compile(r"(?:[^()\\]|\\.)+|[()\\]", re.DOTALL)
_SPECIAL = re.compile(r"[\s;=]")
_METHOD = re.compile(r"(?:^|\s)dmarc\s*(?:/\s*\d+)?\s*=\s*([a-z]+)", re.IGNORECASE)
_FROM = re.compile(r"header\.from\s*=\s*\"?(?:[^\s;\"@]*@)?([^\s;\"]+)", re.IGNORECASE)
_BY = re.compile(r"(?:^|\s)by\s+([a-z0-9.-]+)", re.IGNORECASE)


class Verdict(NamedTuple):
    """`outcome`: DMARC for the sender's domain. `ignored`: somebody else wrote such a header in our server's name. `server`:
    whose word it is that the sender is who From says; null for a pass that proves the domain alone."""

    outcome: Outcome
    ignored: bool = False
    server: str | None = None


def verdict(fields: Headers, trusted: Iterable[str], sender: str) -> Verdict:
    """What the trusted servers report for the domain of `sender`. No trusted server: nothing is known. Of several reports all
    must agree; one that cannot be read says nothing."""
    names = frozenset(name.strip().lower() for name in trusted if name.strip())
    if not names or "@" not in sender:
        return Verdict("none")
    line = _trust_line(fields, names)
    ours, others = [], 0
    for at, (name, value) in enumerate(fields.fields):
        if name == _RESULTS and (report := _in_our_name(headers.text(value), names)) is not None:
            if at < line:
                ours.append(report)
            else:
                others += 1
    if sum(name == "from" for name, _ in fields.fields) != 1:
        return Verdict("none", others > 0)
    domain = sender.rpartition("@")[2].lower().rstrip(".")
    reported = {word: report.server for report in ours for word in _dmarc(report.results, domain)}
    if "fail" in reported:
        return Verdict("fail", others > 0)
    if reported.keys() == {"pass"}:
        return Verdict("pass", others > 0, reported["pass"])
    return Verdict("none", others > 0)


def _trust_line(fields: Headers, names: frozenset[str]) -> int:
    """Where the fields end that our own servers wrote: each puts its own on top, so this is the first `Received` of the server
    that reports, and without one the first of all. Google writes its results below that field, before the sender's own."""
    received = [(at, _by(value)) for at, (name, value) in enumerate(fields.fields) if name == "received"]
    for at, host in received:
        if host in names or (MICROSOFT in names and host.endswith(f".{MICROSOFT}")):
            return _end_of_trace(fields, at) if host == GOOGLE else min(at, _below_report(fields, names))
    return received[0][0] if received else len(fields.fields)


def _below_report(fields: Headers, names: frozenset[str]) -> int:
    """The `Received` under the first report in our name. Our server may call itself otherwise there, and then the first one
    with that name is the sender's, with a report above it that is the sender's too."""
    reported = False
    for at, (name, value) in enumerate(fields.fields):
        if name == "received" and reported:
            return at
        reported = reported or (name == _RESULTS and _in_our_name(headers.text(value), names) is not None)
    return len(fields.fields)


_TRACE = frozenset(
    {_RESULTS, "received-spf", "arc-seal", "arc-message-signature", "arc-authentication-results"}
)


def _end_of_trace(fields: Headers, received: int) -> int:
    at = received + 1
    while at < len(fields.fields) and fields.fields[at][0] in _TRACE:
        # One report a server: a second one is the sender's.
        if fields.fields[at][0] == _RESULTS:
            return at + 1
        at += 1
    return at


def _by(received: bytes) -> str:
    found = _BY.search(_plain(received[:4096].decode("ascii", "replace")))
    return found[1].lower() if found else ""


class _Report(NamedTuple):
    server: str
    results: str


def _in_our_name(value: str, names: frozenset[str]) -> _Report | None:
    """The report, if the header says that it is one of our servers'. Microsoft's writes no name."""
    plain = _plain(value)
    server, _, results = plain.partition(";")
    name = (server.split() or [""])[0].strip('"').lower()
    if "=" in name:
        return _Report(MICROSOFT, plain) if MICROSOFT in names else None
    return _Report(name, results) if name in names else None


def _plain(value: str) -> str:
    """Without comments, and with each quoted string as one word: a sender's own words stand in both, as in
    `smtp.mailfrom="x; dmarc=pass"@evil.example`."""
    words, depth, at = list[str](), 0, 0
    while found := (_INSIDE if depth else _OUTSIDE).match(value, at):
        word, at = found[0], found.end()
        if word == "(":
            depth += 1
            words.append(" ")
        elif depth:
            depth -= word == ")"
        else:
            words.append(_SPECIAL.sub("_", word) if word[0] == '"' else word)
    return "".join(words)


def _dmarc(results: str, domain: str) -> Iterator[Outcome]:
    """What each DMARC result says; a header without one (of SPF alone, say) says nothing, which contradicts nobody."""
    for result in results.split(";"):
        found = _METHOD.search(result)
        if found is None:
            continue
        word = found[1].lower()
        about = _FROM.search(result)
        if word == "pass":
            yield "pass" if about and about[1].lower().rstrip(".") == domain else "none"
        else:
            yield "fail" if word in ("fail", "permerror") else "none"
