"""Text from outside: without what breaks Postgres, terminals and headers."""

from __future__ import annotations

import re

import msgspec

from contracts.channels import MAX_TEXT_BYTES

_CONTROL = {code: None for code in range(32) if chr(code) not in "\t\n\r"} | {127: None, 0: "\ufffd"}


# One @ between a local part and a domain with a dot; letters of every script (RFC 6531). More is the mail server's business.
_EMAIL = re.compile(r"^[^\s@<>,;\"()]+@[^\s@<>,;\"().]+(\.[^\s@<>,;\"().]+)+$")


def is_email(text: str) -> bool:
    """Whether this may be an e-mail address."""
    return _EMAIL.match(text) is not None


def clean(text: str) -> str:
    """Without control characters (NUL leaves a mark) and without lone surrogates, which no JSON reader takes."""
    return text.translate(_CONTROL).encode("utf-8", "replace").decode("utf-8")


def one_line(text: str, limit: int) -> str:
    """For names and subjects: a single line of at most `limit` characters."""
    return " ".join(clean(text).split())[:limit]


def undecodable(error: Exception) -> str:
    """Why bytes could not be decoded, and at which byte; quotes nothing of them."""
    match error:
        case UnicodeDecodeError():
            return f"not UTF-8 (byte {error.start})"
        case msgspec.DecodeError() if not isinstance(error, msgspec.ValidationError):
            return str(error)
        case _:
            return type(error).__name__


def within(text: str, most: int = MAX_TEXT_BYTES) -> tuple[str, bool]:
    """The beginning of a text that fits into a record, cut between characters, and whether it was cut."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= most:
        return text, False
    return encoded[:most].decode("utf-8", "ignore"), True
