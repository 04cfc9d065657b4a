"""What files are, by their bytes."""

from __future__ import annotations

import io
import zipfile

import pytest

from ingest.media.content import type_of


def office(folder: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(f"{folder}/document.xml", "<w/>")
    return packed.getvalue()


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "image/jpeg"),
        (b"\x89PNG\r\n\x1a\n\x00", "image/png"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "audio/wav"),
        (b"\x00\x00\x00\x20ftypisom\x00", "video/mp4"),
        (b"\x00\x00\x00\x20ftypM4A \x00", "audio/mp4"),
        (b"\x00\x00\x00\x143gp4", "application/octet-stream"),
        (b"\x00\x00\x00\x14ftyp3gp4", "video/3gpp"),
        (b"OggS\x00\x02", "audio/ogg"),
        (b"ID3\x04\x00", "audio/mpeg"),
        (b"\xff\xfb\x90\x00", "audio/mpeg"),
        (b"\xff\xf1\x50\x80", "audio/aac"),
        (b"#!AMR\n", "audio/amr"),
        (b"%PDF-1.7\n", "application/pdf"),
        (office("word"), "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        (office("xl"), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (b"PK\x03\x04\x14\x00", "application/zip"),
        (b"<!DOCTYPE html><title>x</title>", "text/html"),
        (b"\xef\xbb\xbf  <HTML>", "text/html"),
        (b"GIF89a<script>alert(1)</script>", "image/gif"),
        (b'<?xml version="1.0"?><svg onload="x">', "image/svg+xml"),
        (b'<?xml version="1.0"?><note/>', "text/xml"),
        ("BEGIN:VCARD\nFN:Żółć".encode(), "text/plain"),
        (("x" * 4095 + "ż").encode(), "text/plain"),
        (b"text and \xff then", "application/octet-stream"),
        (b"text\x00", "application/octet-stream"),
        (b"MZ\x90\x00", "application/vnd.microsoft.portable-executable"),
        (b"", "application/octet-stream"),
    ],
)
def test_the_bytes_say_what_it_is(content: bytes, kind: str) -> None:
    assert type_of(content) == kind
