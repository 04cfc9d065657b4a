"""The one spelling of a handle that is compared. Never unifies two deliverable mailboxes or two lines (trust model, I13).

Each function returns None for what is no address, number or id: it is kept raw on the message and never linked. Whether a
well-formed handle says who somebody is, is another question: `identity/shared.py`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

import idna
import phonenumbers

_ASCII_LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")

# RFC 5321 4.1.2 with the letters of RFC 6531: whatever is printable and not special.
_ATOM = r'[^\x00-\x20\x7f()<>\[\]:;@\\,".]+'
_DOT_ATOM = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED = re.compile(r'"((?:[^\x00-\x1f\x7f"\\]|\\[\x20-\x7e])+)"')
_TOP_LEVEL = re.compile(r"[a-z]{2,}|xn--[a-z0-9-]+")
_MAX_LOCAL, _MAX_ADDRESS = 64, 254

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")


def canonical(kind: str, value: str, region: str | None = None) -> str | None:
    """The value of a handle of this kind as it is stored and compared."""
    if kind == "email":
        return email(value)
    return phone(value, region) if kind == "phone" else account(value)


@lru_cache(maxsize=100_000)
def email(value: str) -> str | None:
    """NFC, ASCII case fold of the local part, needless quotes dropped, the domain as lower-case IDNA A-labels (RFC 5890).
    Dots and plus parts stay: only the receiving domain knows what they mean."""
    given = value.strip(" \t")
    local, at, domain = unicodedata.normalize("NFC", given).rpartition("@")
    name, host = _local_part(local), domain_name(domain)
    if not at or name is None or host is None or len(name.encode()) > _MAX_LOCAL:
        return None
    found = f"{name}@{host}"
    # RFC 5321 limits what is sent, which RFC 6531 lets be either form.
    return found if max(len(found.encode()), len(given.encode())) <= _MAX_ADDRESS else None


def _local_part(local: str) -> str | None:
    quoted = _QUOTED.fullmatch(local)
    name = (re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else local).translate(_ASCII_LOWER)
    if not name.isprintable():
        return None
    if _DOT_ATOM.fullmatch(name):
        return name
    return '"' + re.sub(r'(["\\])', r"\\\1", name) + '"' if quoted else None


@lru_cache(maxsize=10_000)
def domain_name(domain: str) -> str | None:
    """Lower-case A-labels of a domain below a top-level one; None for addresses of machines and for what is no domain."""
    try:
        # Not UTS 46: its mapping would unify spellings (fullwidth letters) that are no mailbox's own.
        host = idna.encode(domain.lower(), strict=True).decode()
        labels = host.split(".")
        shown = [idna.decode(label) for label in labels]
        # One label from right to left makes RFC 5893 hold for all of them.
        if any(unicodedata.bidirectional(letter) in ("R", "AL", "AN") for label in shown for letter in label):
            for label in shown:
                idna.check_bidi(label, check_ltr=True)
    except idna.IDNAError:
        return None
    return host if len(labels) > 1 and _TOP_LEVEL.fullmatch(labels[-1]) else None


@lru_cache(maxsize=100_000)
def phone(value: str, region: str | None) -> str | None:
    """+E.164 of a number that the numbering plans know, with `;ext=` (RFC 3966) when it has an extension: two people on
    one switchboard are two. `region` (ISO 3166) is the account's, never guessed from a name or a language.

    Parsing costs some 50 µs, so results are remembered.
    """
    try:
        number = phonenumbers.parse(value, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    line = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return f"{line};ext={number.extension}" if number.extension else line


def phone_of_network(value: str, region: str | None) -> str | None:
    """The number by which a network knows its member. As it is, if it has the form of E.164: numbering plans change, and
    WhatsApp keeps the numbers of its oldest Brazilian and Mexican members, which are valid no more."""
    return value if _E164.fullmatch(value) else phone(value, region)


def account(value: str) -> str | None:
    """Ids that a network or a site gives (Telegram, PSID, X …): strings, compared as they are."""
    stripped = value.strip()
    return stripped if stripped and len(stripped) <= 255 and stripped.isprintable() else None
