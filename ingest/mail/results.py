"""The results of an `Authentication-Results` field (RFC 8601), and of its copy that a sealer keeps (RFC 8617)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

Outcome = Literal["pass", "fail", "none"]

_OUTSIDE = re.compile(r'"(?:[^"\\]|\\.)*"?|[^"(]+|\(', re.DOTALL)
_INSIDE = re.compile(r"(?:[^()\\]|\\.)+|[()\\]", re.DOTALL)
_SPECIAL = re.compile(r"[\s;=]")
_DMARC = re.compile(r"(?:^|\s)dmarc\s*(?:/\s*\d+)?\s*=\s*([a-z]+)", re.IGNORECASE)
_ARC = re.compile(r"\s*arc\s*(?:/\s*\d+)?\s*=\s*([a-z]+)", re.IGNORECASE)
_FROM = re.compile(r"header\.from\s*=\s*\"?(?:[^\s;\"@]*@)?([^\s;\"]+)", re.IGNORECASE)


def plain(value: str) -> str:
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


def dmarc(results: str, domain: str) -> Iterator[Outcome]:
    """What each DMARC result says of the domain; a header without one (of SPF alone, say) says nothing, which contradicts
    nobody."""
    for result in results.split(";"):
        found = _DMARC.search(result)
        if found is None:
            continue
        word = found[1].lower()
        about = _FROM.search(result)
        if word == "pass":
            yield "pass" if about and about[1].lower().rstrip(".") == domain else "none"
        else:
            yield "fail" if word in ("fail", "permerror") else "none"


def arc(results: str) -> Iterator[str]:
    """What each result about the chain of seals says (RFC 8617, 5.2)."""
    for result in results.split(";"):
        if found := _ARC.match(result):
            yield found[1].lower()
