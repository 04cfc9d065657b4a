"""What a file is, by its first bytes: what the sender or the provider calls it proves nothing."""

from __future__ import annotations

import re

UNKNOWN = "application/octet-stream"

_BEGINNINGS = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"#!AMR", "audio/amr"),
    (b"\x1a\x45\xdf\xa3", "video/webm"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"{\\rtf", "application/rtf"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
    (b"\x7fELF", "application/x-executable"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
# Brands of ISO media files; all others are films.
_BRANDS = {b"M4A": "audio/mp4", b"M4B": "audio/mp4", b"heic": "image/heic", b"mif1": "image/heif"}
_BRANDS |= {b"avif": "image/avif", b"qt  ": "video/quicktime", b"3gp": "video/3gpp"}
_OFFICE = (
    (b"word/", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    (b"xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
    (b"ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
)
_MARKUP = re.compile(rb"<(?:!doctype\s+html|html|head|body|script|iframe|svg|\?xml)\b", re.IGNORECASE)
_HEAD = 4096


def type_of(content: bytes) -> str:
    """A media type. Markup that a browser would run is always named as what it is; text is `text/plain`."""
    head = content[:_HEAD]
    for beginning, kind in _BEGINNINGS:
        if head.startswith(beginning):
            return _office(content) if kind == "application/zip" else kind
    if head[:4] == b"RIFF" and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head[4:8] == b"ftyp":
        brands = (kind for brand, kind in _BRANDS.items() if head[8:12].startswith(brand))
        return next(brands, "video/mp4")
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        # The frame of a sound file without a tag: layer 0 is AAC in ADTS.
        return "audio/aac" if head[1] & 0x06 == 0 else "audio/mpeg"
    return _text(head)


def _office(content: bytes) -> str:
    """A document of an office program is an archive whose parts lie in a folder of its kind."""
    if b"[Content_Types].xml" in content[:_HEAD]:
        for folder, kind in _OFFICE:
            if folder in content:
                return kind
    return "application/zip"


def _text(head: bytes) -> str:
    if found := _MARKUP.search(head):
        tag = found[0].lower()
        return "image/svg+xml" if b"<svg" in head.lower() else "text/xml" if tag == b"<?xml" else "text/html"
    if not head or b"\0" in head:
        return UNKNOWN
    try:
        head.decode()
    except UnicodeDecodeError as error:
        # A character may be cut at the end of what is looked at.
        if error.start < len(head) - 3 or len(head) < _HEAD:
            return UNKNOWN
    return "text/plain"
