"""Which mails belong together: ids, the chain of references, tickets that are named, and the subject without its prefixes.

All of it is evidence, transcribed. Whether the sender may write into a ticket is the router's to judge.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal
from uuid import UUID

from contracts import reply_tokens
from contracts.inbound import NamedTicket
from ingest.mail.headers import Headers
from ingest.mail.mime import Mail
from ingest.mail.vocabulary import FORWARD_PREFIXES, REPLY_PREFIXES

MAX_IDS = 100
MAX_ID = 500
MAX_TOKENS = 20

_IN_BRACKETS = re.compile(r"<\s*([^<>\s]+(?:\s[^<>\s]+)?)\s*>")
_NOT_AN_ID = re.compile(
    r"(?:[\W_]*|\W*(?:null|none|nil|undefined|unknown|empty|default|n/a|message-?id|no-?message-?id|localhost)\W*"
    r"|(?:[\W0]*|null|none|undefined)@\S*)",
    re.IGNORECASE,
)
_SUBJECT_TOKEN = re.compile(r"\[#0*([1-9]\d{0,11})\]")
_SEPARATORS = r"(?:\s*[\[(]\d{1,3}[\])]|\s?\*\d+|\^\d+)?\s*[:;：](?:\s*[:;：])*\s*"


def _prefix(words: frozenset[str]) -> re.Pattern[str]:
    longest_first = sorted(words, key=len, reverse=True)
    return re.compile(
        rf"\s*(?:{'|'.join(map(re.escape, longest_first))})(?:{_SEPARATORS}|\s*$)", re.IGNORECASE
    )


_REPLY = _prefix(REPLY_PREFIXES)
_FORWARD = _prefix(FORWARD_PREFIXES)
_ANY = _prefix(REPLY_PREFIXES | FORWARD_PREFIXES)
_BRACKETED = re.compile(r"^\[(.*)\]$", re.DOTALL)


def ids(value: str) -> list[str]:
    """The message ids of a field, without angle brackets; junk that could join strangers' mails is left out."""
    found = _IN_BRACKETS.findall(value)
    if not found:
        found = value.replace(",", " ").split()
    out = (re.sub(r"\s+", "", given).strip("<>\"',;") for given in found[: MAX_IDS * 2])
    return [one for one in out if 3 <= len(one) <= MAX_ID and not _NOT_AN_ID.fullmatch(one)]


def message_id(fields: Headers) -> str | None:
    """The Message-ID, or null when it is missing or cannot be one."""
    return next(iter(ids(fields.get("message-id") or fields.get("x-microsoft-original-message-id"))), None)


def chain(fields: Headers) -> tuple[str, ...]:
    """Every id of References and In-Reply-To, oldest first, each once."""
    answered = ids(fields.get("in-reply-to"))
    # In-Reply-To of old clients quotes a date and a name: only what looks like an id counts there.
    answered = [one for one in answered if "@" in one or "<" in fields.get("in-reply-to")]
    own = message_id(fields)
    return tuple(dict.fromkeys(one for one in (*ids(fields.get("references")), *answered) if one != own))[
        -MAX_IDS:
    ]


def provider_id(mail: Mail, raw: bytes) -> str:
    """Message-ID and a hash of the decoded body, so that the same mail by two ways is one message and a forged or
    repeated Message-ID with another body is not. Without a Message-ID: the hash of the bytes."""
    own = message_id(mail.headers)
    if own is None:
        return f"sha256:{hashlib.sha256(raw).hexdigest()}"
    digest = hashlib.sha256()
    for data in (mail.text.encode(), (mail.html or "").encode("utf-8", "replace")):
        digest.update(hashlib.sha256(data).digest())
    for file in mail.files:
        digest.update(hashlib.sha256(file.content).digest())
    return f"{own}:{digest.hexdigest()[:16]}"


def named_tickets(
    fields: Headers,
    envelope_to: Iterable[str],
    workspace: UUID,
    keys: Sequence[bytes],
    writers: Iterable[str],
) -> tuple[NamedTicket, ...]:
    """Tickets named by reply tokens in our addresses and in the ids that are answered, and by `[#123]` in the subject; signed
    ones first. `writers`: the addresses that a token vouches for. What stands in the body names nothing."""
    found = [*_by_tokens(fields, envelope_to, workspace, keys, tuple(writers)), *_by_subject(fields)]
    return tuple(sorted(dict.fromkeys(found), key=lambda ticket: not ticket.signed))


def _by_tokens(
    fields: Headers,
    envelope_to: Iterable[str],
    workspace: UUID,
    keys: Sequence[bytes],
    writers: tuple[str, ...],
) -> Iterator[NamedTicket]:
    ours = ("to", "cc", "delivered-to", "x-original-to", "x-envelope-to", "x-forwarded-to")
    sources: tuple[tuple[Literal["address", "message_id"], str], ...] = (
        ("address", " ".join([*envelope_to, *(value for name in ours for value in fields.all(name))])),
        ("message_id", " ".join(reversed(chain(fields)))),
    )
    for where, text in sources:
        for token in reply_tokens.found(text)[:MAX_TOKENS]:
            opened = reply_tokens.opened(keys, workspace, token, writers)
            if opened is not None:
                yield NamedTicket(number=opened.number, where=where, signed=opened.signed)


def _by_subject(fields: Headers) -> Iterator[NamedTicket]:
    for number in _SUBJECT_TOKEN.findall(fields.get("subject"))[:MAX_TOKENS]:
        yield NamedTicket(number=int(number), where="subject")


def stripped_subject(subject: str) -> str:
    """The subject without reply and forward prefixes of any known language, also inside `[Fwd: …]`."""
    rest = subject.strip()
    while True:
        found = _ANY.match(rest)
        shorter = rest[found.end() :].strip() if found and found.end() else rest
        bracketed = _BRACKETED.match(shorter)
        if bracketed and _ANY.match(bracketed[1]):
            shorter = bracketed[1].strip()
        if shorter == rest:
            return rest
        rest = shorter


def is_reply_subject(subject: str) -> bool:
    """Whether its first prefix is one of answers."""
    return _REPLY.match(subject) is not None


def is_forward_subject(subject: str) -> bool:
    """Whether its first prefix is one of forwards (or `[Fwd: …]`)."""
    return _FORWARD.match(subject.lstrip(" [")) is not None
