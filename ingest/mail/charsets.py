"""Bytes to text when the label may be wrong, missing or unknown. Never raises; says when it had to guess."""

from __future__ import annotations

import codecs
from functools import lru_cache

# What a label really means in mail: the superset that the writing programs used (WHATWG Encoding, same reasoning).
_REALLY = {
    "ascii": "cp1252",
    "us-ascii": "cp1252",
    "ansi_x3.4-1968": "cp1252",
    "iso-8859-1": "cp1252",
    "iso8859-1": "cp1252",
    "iso_8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "x-gbk": "gb18030",
    "gb_2312-80": "gb18030",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "x-sjis": "cp932",
    "big5": "big5hkscs",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "unicode-1-1-utf-7": "utf-7",
    "x-unicode-2-0-utf-7": "utf-7",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-8-e": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "iso-8859-6-e": "iso-8859-6",
    "iso-2022-jp": "iso2022_jp_ext",
}
_UNKNOWN = frozenset({"", "unknown-8bit", "x-unknown", "unknown", "default", "utf", "8bit", "none", "binary"})
_LABELLED_ASCII = frozenset({"ascii", "us-ascii", "ansi_x3.4-1968"})
# Codecs of Python that are no charsets of mail.
_FORBIDDEN = frozenset(
    {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"}
)
_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@lru_cache(maxsize=256)
def _codec(label: str) -> str | None:
    """The name of a usable codec for a charset label, or null when nobody knows it."""
    name = _REALLY.get(label, label)
    try:
        found = codecs.lookup(name).name.replace("-", "_")
        if found in _FORBIDDEN:
            return None
        # Refuses codecs that do not turn bytes into text (`hex`, `zlib`).
        b"a".decode(name)
    except UnicodeError:
        return name
    except (LookupError, ValueError):
        return None
    return name


def decode(data: bytes, label: str | None) -> tuple[str, bool]:
    """The text of these bytes, and whether the label had to be overruled or bytes were replaced."""
    if (
        data.isascii()
        and b"\x1b" not in data
        and (not label or not label.lower().startswith(("utf", "unicode")))
    ):
        return data.decode("ascii") if not _double_byte_only(label) else _guess(data), False
    given = (label or "").strip().strip("\"'").lower()
    codec = None if given in _UNKNOWN else _codec(given)
    if codec is None:
        return _guess(data), True
    if given in _LABELLED_ASCII:
        return _guess(data), True
    try:
        return data.decode(codec), False
    except (UnicodeError, ValueError):
        return _repair(data, codec), True


def _double_byte_only(label: str | None) -> bool:
    """HZ writes Chinese in ASCII bytes."""
    return bool(label) and str(label).lower().startswith("hz")


def _guess(data: bytes) -> str:
    for bom, codec in _BOMS:
        if data.startswith(bom):
            return (
                data[len(bom) :].decode(codec, "replace")
                if codec == "utf-8"
                else data.decode(codec, "replace")
            )
    if b"\x1b$" in data or b"\x1b(" in data:
        return data.decode("iso2022_jp_ext", "replace")
    if data.startswith(b"~{") or b" ~{" in data:
        return data.decode("hz", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _western(data)


def _repair(data: bytes, codec: str) -> str:
    """Bytes that their own label cannot explain: other readings first, replacement characters last."""
    if codec == "cp1252":
        return _western(data)
    if codec not in ("utf-8", "utf8"):
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            pass
    patched = data.decode(codec, "replace")
    # A few broken bytes in good text are better shown as such; many mean that the label is wrong.
    return patched if patched.count("\ufffd") * 20 <= len(patched) else _western(data)


def _western(data: bytes) -> str:
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")
