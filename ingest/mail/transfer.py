"""Transfer encodings, and files that old programs put into the text by uuencode. Never raises."""

from __future__ import annotations

import binascii
import quopri
import re

MAX_UUENCODED = 20

_UUENCODED = re.compile(
    rb"^begin [0-7]{3,4} ([^\r\n]{1,200})\r?\n((?:[!-`][ -`]*\r?\n)*?)(?:`\r?\n)?end[ \t]*$", re.MULTILINE
)
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/=]+")


def decoded(body: bytes, encoding: str) -> bytes:
    """The bytes behind a Content-Transfer-Encoding; what cannot be decoded stays as it is."""
    if encoding == "base64":
        data = _NOT_BASE64.sub(b"", body).rstrip(b"=")
        try:
            return binascii.a2b_base64(data[: len(data) - (len(data) % 4 == 1)] + b"==")
        except binascii.Error:
            return body
    if encoding == "quoted-printable":
        return quopri.decodestring(body)
    if encoding in ("x-uuencode", "uuencode", "x-uue", "uue"):
        found = _UUENCODED.search(body)
        return _uudecoded(found[2]) if found else body
    return body


def _uudecoded(lines: bytes) -> bytes:
    out = []
    for line in lines.splitlines():
        try:
            out.append(binascii.a2b_uu(line))
        except binascii.Error:
            # Some encoders pad a line wrongly: its first byte says how much counts.
            most = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                out.append(binascii.a2b_uu(line[:most]))
            except binascii.Error:
                continue
    return b"".join(out)


def without_uuencoded(text: str) -> tuple[str, list[tuple[str, bytes]]]:
    """The text without such files, and their names and bytes."""
    if not 0 < text.count("begin ") <= MAX_UUENCODED:
        return text, []
    files: list[tuple[str, bytes]] = []

    def taken(found: re.Match[bytes]) -> bytes:
        files.append((found[1].decode("utf-8", "replace").strip(), _uudecoded(found[2])))
        return b""

    rest = _UUENCODED.sub(taken, text.encode("utf-8", "replace"))
    return (rest.decode("utf-8", "replace"), files) if files else (text, [])
