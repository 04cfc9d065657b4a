"""The one spelling of a handle that is compared. Never unifies two deliverable mailboxes (trust model, I13).

Each function returns None for a value that identifies nobody: it is kept raw on the message and never linked.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import idna
import phonenumbers

_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")

# Addresses that many people share or nobody reads: mail from them says nothing about who wrote.
_NOBODY = frozenset({"noreply", "no-reply", "donotreply", "do-not-reply", "mailer-daemon", "postmaster"})

# What broken integrations send instead of a value (PostHog's list of illegal ids is the source of the idea).
_JUNK = frozenset(
    {"", "null", "none", "undefined", "nan", "unknown", "anonymous", "[object object]", "0", "-1", "true"}
)

_MAX_LOCAL, _MAX_ADDRESS, _MAX_DIGITS = 64, 254, 40


@lru_cache(maxsize=100_000)
def email(value: str) -> str | None:
    """NFC, ASCII case fold of the local part, the domain as lower-case IDNA A-labels (RFC 5890). Dots and plus
    parts stay: only the receiving domain knows what they mean."""
    address = unicodedata.normalize("NFC", value.strip()).translate(_ASCII_LOWER)
    local, at, domain = address.rpartition("@")
    if not at or not local or len(local.encode()) > _MAX_LOCAL or not _is_local_part(local):
        return None
    host = _domain(domain)
    if host is None or len(local) + 1 + len(host) > _MAX_ADDRESS:
        return None
    return f"{local}@{host}"


def _is_local_part(local: str) -> bool:
    if local.startswith('"') and local.endswith('"') and len(local) > 2:
        return all(character.isprintable() for character in local)
    if local.startswith(".") or local.endswith(".") or ".." in local:
        return False
    return all(c.isprintable() and c not in ' ()<>[]:;@\\,"' for c in local)


def _domain(domain: str) -> str | None:
    domain = domain.removesuffix(".")
    if not domain or "." not in domain:
        return None
    try:
        # Not UTS 46: its mapping would unify spellings (fullwidth letters) that are no mailbox's own.
        return idna.encode(domain.lower(), strict=True).decode()
    except idna.IDNAError:
        return None


@lru_cache(maxsize=100_000)
def phone(value: str, region: str | None) -> str | None:
    """+E.164 of a valid number; `region` (ISO 3166) is the account's, never guessed from a name or a language.

    Parsing costs some 50 µs, so results are remembered.
    """
    if not 3 <= len(value) <= _MAX_DIGITS:
        return None
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number) or not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def account(value: str) -> str | None:
    """Ids that a network or a site gives (Telegram, PSID, X …): strings, compared as they are."""
    stripped = value.strip()
    return stripped if stripped and len(stripped) <= 255 and stripped.isprintable() else None


def canonical(kind: str, value: str, region: str | None = None) -> str | None:
    """The value of a handle of this kind as it is stored and compared, or None if it identifies nobody."""
    if value.strip().lower() in _JUNK:
        return None
    if kind == "email":
        address = email(value)
        return None if address is None or address.partition("@")[0] in _NOBODY else address
    if kind == "phone":
        return phone(value, region)
    return account(value)
