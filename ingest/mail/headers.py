"""Header fields: splitting, RFC 2047 words, RFC 2231 parameters, addresses. Linear in the input, no recursion."""

from __future__ import annotations

import binascii
import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from ingest.mail import charsets

MAX_ADDRESSES = 500
MAX_COMMENT_DEPTH = 10

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:")
_WORD = re.compile(rb"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]*(?:\?(?!=)[^?]*)*?)\?=")
_BETWEEN_WORDS = re.compile(rb"(\?=)[ \t\r\n]+(=\?[^?\s]{1,60}\?[bBqQ]\?)")
_QUOTED_BYTE = re.compile(rb"=([0-9A-Fa-f]{2})")
_PARAMETER = re.compile(rb";\s*([^\s=;]+)\s*=\s*(\"(?:[^\"\\]|\\.)*\"?|[^;]*)")
_SECTION = re.compile(r"(.+?)\*(\d+)?(\*)?$")
_ESCAPED = re.compile(rb"\\(.)")


class Address(NamedTuple):
    """A mailbox as written: `name` decoded, `address` without angle brackets, empty when there is none."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Headers:
    """The fields of one entity in order: lower-case name and raw, unfolded value."""

    fields: tuple[tuple[str, bytes], ...] = ()

    def raw(self, name: str) -> bytes | None:
        """The first field of this name, undecoded."""
        return next((value for field, value in self.fields if field == name), None)

    def get(self, name: str) -> str:
        """The first field of this name as text, or an empty string."""
        value = self.raw(name)
        return "" if value is None else text(value)

    def all(self, name: str) -> list[str]:
        """Every field of this name as text, top first."""
        return [text(value) for field, value in self.fields if field == name]

    def has(self, name: str) -> bool:
        return any(field == name for field, _ in self.fields)


def split(block: bytes) -> Headers:
    """The fields of a header block. Lines that are no field (mbox `From `, debris) are left out."""
    fields: list[tuple[str, list[bytes]]] = []
    for line in block.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n"):
        if line[:1] in (b" ", b"\t"):
            if fields:
                fields[-1][1].append(line)
            continue
        found = _FIELD.match(line)
        if found:
            fields.append((found[1].decode("ascii", "replace").lower(), [line[found.end() :]]))
    return Headers(tuple((name, b"".join(lines).strip()) for name, lines in fields))


def text(value: bytes) -> str:
    """A field's value as text: encoded words decoded (also those split inside a character), raw 8-bit guessed."""
    if b"=?" not in value:
        return charsets.decode(value, None)[0]
    value = _BETWEEN_WORDS.sub(rb"\1\2", value)
    out: list[str] = []
    at, pending, label = 0, b"", ""
    # Nothing after the last end mark can be a word; without this bound, starts alone would cost quadratic time.
    for found in _WORD.finditer(value, 0, value.rfind(b"?=") + 2):
        charset = found[1].decode("ascii", "replace").partition("*")[0].lower()
        data = _word_bytes(found[2], found[3])
        if found.start() > at or (charset != label and pending):
            out.append(charsets.decode(pending, label)[0])
            pending = b""
            out.append(charsets.decode(value[at : found.start()], None)[0])
        pending, label, at = pending + data, charset, found.end()
    out.append(charsets.decode(pending, label)[0])
    out.append(charsets.decode(value[at:], None)[0])
    return "".join(out)


def _word_bytes(encoding: bytes, data: bytes) -> bytes:
    if encoding in b"qQ":
        return _QUOTED_BYTE.sub(lambda m: bytes((int(m[1], 16),)), data.replace(b"_", b" "))
    try:
        return binascii.a2b_base64(data + b"==")
    except binascii.Error:
        return data


def parameters(value: bytes) -> tuple[str, dict[str, str]]:
    """The main value in lower case, and the parameters with RFC 2231 sections joined and decoded."""
    main = value.partition(b";")[0]
    plain: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[bytes, bool]]] = {}
    for found in _PARAMETER.finditer(value, len(main)):
        name = found[1].decode("ascii", "replace").lower()
        data = found[2].strip()
        if data[:1] == b'"':
            data = _ESCAPED.sub(rb"\1", data.strip(b'"'))
        section = _SECTION.match(name)
        if section is None:
            plain.setdefault(name, text(data))
        elif len(section[2] or "0") < 4:
            sections.setdefault(section[1], {})[int(section[2] or 0)] = (
                data,
                bool(section[3]) or section[2] is None,
            )
    for name, parts in sections.items():
        plain[name] = _joined(parts)
    return main.decode("ascii", "replace").strip().lower(), plain


def _joined(parts: dict[int, tuple[bytes, bool]]) -> str:
    label, out = "", b""
    for number in sorted(parts):
        data, encoded = parts[number]
        if encoded and number == min(parts) and data.count(b"'") >= 2:
            charset, _, data = data.split(b"'", 2)
            label = charset.decode("ascii", "replace")
        out += unquote_to_bytes(data) if encoded else data
    return text(out) if not label else charsets.decode(out, label)[0]


def addresses(value: bytes) -> tuple[list[Address], bool]:
    """The mailboxes of an address field (groups flattened), and whether a limit cut it short.

    A scanner with counters, so that no nesting or length makes it recurse or slow.
    """
    found: list[Address] = []
    for piece in _pieces(value):
        if piece is None:
            return found, True
        address = _mailbox(piece)
        if address.name or address.address:
            found.append(address)
        if len(found) >= MAX_ADDRESSES:
            return found, True
    return found, False


_SPECIAL = re.compile(rb'[",;:<>()\\\[\]]')


def _pieces(value: bytes) -> list[bytes | None]:
    """Between the separators that are not quoted, commented or in angle brackets; a null ends it at a limit."""
    out: list[bytes | None] = []
    start, at, depth, quoted, angle = 0, 0, 0, False, False
    while found := _SPECIAL.search(value, at):
        char, at = found[0], found.end()
        if char == b"\\":
            at += 1
        elif quoted:
            quoted = char != b'"'
        elif char == b"(":
            depth += 1
            if depth > MAX_COMMENT_DEPTH:
                return [*out, None]
        elif char == b")":
            depth = max(0, depth - 1)
        elif depth:
            continue
        elif char == b'"':
            # A lone quote must not swallow the rest.
            quoted = value.find(b'"', at) >= 0
        elif char == b"<":
            angle = value.find(b">", at) >= 0
        elif char == b">":
            angle = False
        elif char in b",;" and not angle:
            out.append(value[start : at - 1])
            start = at
            if len(out) > MAX_ADDRESSES:
                return [*out, None]
        elif char == b":" and not angle and b"@" not in value[start:at]:
            start = at
    out.append(value[start:])
    return out


_COMMENT = re.compile(rb"\(([^()]*)\)")
_BARE = re.compile(r"[^\s<>\"(),;]+@[^\s<>\"(),;]+")


def _mailbox(piece: bytes) -> Address:
    left, opened, rest = piece.rpartition(b"<")
    if opened and b"@" not in rest and b"@" in left and b">" not in rest:
        left, opened, rest = piece, b"", b""
    if opened:
        address = rest.partition(b">")[0]
        name = _COMMENT.sub(b"", left) if b'"' not in left else left
        if not name.strip(b' \t"') and (comment := _COMMENT.search(piece)):
            name = comment[1]
        return Address(_name(name), _address(address))
    comments = [match[1] for match in _COMMENT.finditer(piece)]
    bare = text(_COMMENT.sub(b" ", piece)).strip()
    match = _BARE.search(bare)
    if match is None:
        return Address(_name(piece), "")
    # Without angle brackets, what stands before the address is the name.
    name_text = bare[: match.start()].strip(" \"'") or (_name(comments[-1]) if comments else "")
    return Address(name_text, _address(match[0].encode()))


def _address(value: bytes) -> str:
    plain = "".join(text(value).split()).strip("<>\"'")
    # A source route (`@hub:user@host`) is obsolete and names no other person.
    if plain.startswith("@") and ":" in plain:
        plain = plain.rpartition(":")[2]
    return plain.removeprefix("mailto:")


def _name(value: bytes) -> str:
    stripped = value.strip()
    quoted = len(stripped) > 1 and stripped[:1] == b'"' and stripped[-1:] == b'"'
    if quoted:
        stripped = _ESCAPED.sub(rb"\1", stripped[1:-1])
    return " ".join(text(stripped).replace('"', "" if not quoted else '"').split())
