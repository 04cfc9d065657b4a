"""Providers' spellings of one mailbox, folded into a key. A key only suggests to people that two customers may be one; it
is never linked, written to or shown instead of the address that the person used.

The lists are those of validator.js (`normalizeEmail`) and gmr/email-normalize.
"""

from __future__ import annotations

import re
import unicodedata

from identity.canonical import domain_name

_GMAIL = frozenset({"gmail.com", "googlemail.com"})
_APPLE = frozenset({"icloud.com", "me.com"})
_YANDEX = frozenset({"yandex.ru", "yandex.ua", "yandex.kz", "yandex.com", "yandex.by", "ya.ru"})


_HOTMAIL = (
    "at be ca cl co.il co.nz co.th co.uk com com.ar com.au com.br com.gr com.mx com.pe com.tr com.vn cz de dk es fr hu "
    "id ie in it jp kr lv my ph pt sa sg sk"
)
_LIVE = "be ca co.uk com com.ar com.mx de es eu fr it nl"
_MICROSOFT = frozenset(
    (
        *("msn.com", "passport.com"),
        *(f"{name}.{country}" for name in ("hotmail", "outlook") for country in _HOTMAIL.split()),
        *(f"live.{country}" for country in _LIVE.split()),
    )
)
_YAHOO_COUNTRIES = "ca co.uk com de fr in it"
_YAHOO = frozenset(
    ("rocketmail.com", "ymail.com", *(f"yahoo.{country}" for country in _YAHOO_COUNTRIES.split()))
)
_PLUS_TAGS = _GMAIL | _APPLE | _MICROSOFT


def suggestion_key(value: str) -> str | None:
    """Dots, tags and second domains folded where the provider ignores them, case everywhere. Of a mistyped address too;
    None for what has no local part or no domain."""
    local, _, domain = unicodedata.normalize("NFC", value.strip(" \t")).lower().rpartition("@")
    host = domain_name(domain)
    if host is None:
        return None
    if host in _YAHOO:
        local = local.rpartition("-")[0] or local
    elif host in _PLUS_TAGS:
        local = local.partition("+")[0]
    if host in _GMAIL:
        # Single dots: an address with two in a row is nobody's.
        local, host = re.sub(r"(?<!\.)\.(?!\.)", "", local), "gmail.com"
    elif host in _YANDEX:
        host = "yandex.ru"
    return f"{local}@{host}" if local else None
