"""What our own mail server says about the sender (RFC 8601). Anybody can write that header: only a configured server's counts,
only above the line at which that server took the mail from strangers, and only if the sender's domain is aligned (RFC 7489)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from ingest.mail import arc, headers, results
from ingest.mail.headers import Headers
from ingest.mail.results import Outcome, dmarc, plain

GOOGLE = "mx.google.com"
MICROSOFT = "protection.outlook.com"

_RESULTS = "authentication-results"
_BY = re.compile(r"(?:^|\s)by\s+([a-z0-9.-]+)", re.IGNORECASE)


class Verdict(NamedTuple):
    """`outcome`: DMARC for the sender's domain. `ignored`: somebody else wrote such a header in our server's name. `server`:
    whose word it is that the sender is who From says; null for a pass that proves the domain alone. `sealer`:
    whose seal that word rests on, if on any."""

    outcome: Outcome
    ignored: bool = False
    server: str | None = None
    sealer: str | None = None


def verdict(
    fields: Headers,
    trusted: Iterable[str],
    sender: str,
    sealers: Iterable[str] = (),
    from_stranger: bool = False,
) -> Verdict:
    """What the trusted servers report for the domain of `sender`. No trusted server: nothing is known. Of several reports all
    must agree; one that cannot be read says nothing. `sealers`: of what is no pass here, their word counts for what it was
    when it came to them (RFC 8617), if our servers find the seals in order. `from_stranger`: the mail came
    straight from outside, so that every report in our servers' name is forged (RFC 8601, 5)."""
    names = _names(trusted)
    if not names or "@" not in sender:
        return Verdict("none")
    line = 0 if from_stranger else _trust_line(fields, names)
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
    reported = {word: report.server for report in ours for word in dmarc(report.results, domain)}
    if reported.keys() != {"pass"} and (sealed := _sealed(fields, line, ours, _names(sealers), domain)):
        return sealed._replace(ignored=others > 0)
    if "fail" in reported:
        return Verdict("fail", others > 0)
    if reported.keys() == {"pass"}:
        return Verdict("pass", others > 0, reported["pass"])
    return Verdict("none", others > 0)


def _names(given: Iterable[str]) -> frozenset[str]:
    return frozenset(name.strip().lower() for name in given if name.strip())


def _sealed(
    fields: Headers, line: int, ours: Iterable[_Report], sealers: frozenset[str], domain: str
) -> Verdict | None:
    """A pass that the last sealer saw. What stands above the line is our servers' own, also a seal of theirs."""
    said = {word: report.server for report in ours for word in results.arc(report.results)}
    if said.keys() != {"pass"}:
        return None
    who = arc.sealer(fields.fields[line:], sealers, domain)
    return Verdict("pass", server=said["pass"], sealer=who) if who else None


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
    found = _BY.search(plain(received[:4096].decode("ascii", "replace")))
    return found[1].lower() if found else ""


class _Report(NamedTuple):
    server: str
    results: str


def _in_our_name(value: str, names: frozenset[str]) -> _Report | None:
    """The report, if the header says that it is one of our servers'. Microsoft's writes no name."""
    bare = plain(value)
    server, _, said = bare.partition(";")
    name = (server.split() or [""])[0].strip('"').lower()
    if "=" in name:
        return _Report(MICROSOFT, bare) if MICROSOFT in names else None
    return _Report(name, said) if name in names else None
