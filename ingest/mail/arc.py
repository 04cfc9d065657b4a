"""What a server saw that passed a mail on, by its seal (ARC, RFC 8617). Forwarding breaks SPF, and lists break DKIM; whoever
forwards may seal what was so when the mail came to them. Anybody can seal anything, so only sealers that are trusted count, and
only while our own server says that the chain is whole: the seals are not verified here a second time."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ingest.mail import headers
from ingest.mail.results import dmarc, plain

_SEAL, _RESULTS = "arc-seal", "arc-authentication-results"
_SET = (_SEAL, "arc-message-signature", _RESULTS)
_MOST = 50


def sealer(fields: Sequence[tuple[str, bytes]], trusted: Collection[str], domain: str) -> str | None:
    """The trusted sealer who saw a DMARC pass of the domain. It must be the last one, for whoever sealed after it may have
    put its seal on another mail. `fields`: those that our own server did not write."""
    found: dict[int, list[tuple[str, bytes]]] = {}
    for name, value in fields:
        if name in _SET:
            found.setdefault(_instance(value), []).append((name, value))
    last = max(found, default=0)
    # One of each (5.1.1.3).
    if not 1 <= last <= _MOST or sorted(name for name, _ in found[last]) != sorted(_SET):
        return None
    the = dict(found[last])
    seal = _tags(the[_SEAL])
    who = seal.get("d", "").lower().rstrip(".")
    # Whoever seals first has no chain to report on (4.1.3).
    whole = seal.get("cv", "").lower() == ("none" if last == 1 else "pass")
    said = set(dmarc(plain(headers.text(the[_RESULTS])), domain))
    return who if who in trusted and whole and said == {"pass"} else None


def _instance(value: bytes) -> int:
    """The number of the set that a field belongs to; 0 for one that has none."""
    number = _tags(value).get("i", "")
    return int(number) if number.isascii() and number.isdigit() and len(number) <= len(str(_MOST)) else 0


def _tags(value: bytes) -> dict[str, str]:
    """The `name=value` pairs. Of a name that is given twice the first counts: results stand behind it."""
    tags: dict[str, str] = {}
    for pair in value.decode("ascii", "replace").split(";"):
        name, _, given = pair.partition("=")
        tags.setdefault(name.strip(), "".join(given.split()))
    return tags
