"""A mail's bytes as text, HTML and files. Limits come first and every one that is reached is a mark.

The splitter is our own: it works on slices of the input with counters instead of recursion, so that the limits hold
while it reads (the standard library's parser takes 36 s for 200,000 empty parts and recurses for nested ones), and the
bytes of an attached mail are the sender's, unchanged.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ingest import filenames
from ingest.mail import charsets, headers, html, transfer
from ingest.mail.headers import Headers
from ingest.text import clean

MAX_BYTES = 35 * 1024 * 1024
MAX_HEADER_BLOCK = 256 * 1024
MAX_HEADER = 16 * 1024
MAX_HEADERS = 1_000
MAX_PARTS = 500
MAX_DEPTH = 20
MAX_TEXT = 2 * 1024 * 1024
MAX_READ_ATTACHED = 256 * 1024
MAX_PADDING = 1_000

_END_OF_HEADERS = re.compile(rb"\r?\n[ \t]*\r?\n|\r\r|\A\r?\n")


@dataclass(slots=True)
class Part:
    """One entity. `body` is as transferred; `depth` 0 is the mail itself."""

    headers: Headers
    body: bytes
    type: str
    params: dict[str, str]
    depth: int
    parent: str = ""
    disposition: str = ""
    disposition_params: dict[str, str] = field(default_factory=dict)
    children: list[Part] = field(default_factory=list)

    @property
    def filename(self) -> str:
        given = self.disposition_params.get("filename") or self.params.get("name") or ""
        return filenames.safe(given)

    def content(self) -> bytes:
        """The transfer-decoded bytes; what cannot be decoded stays as it is."""
        return transfer.decoded(self.body, self.headers.get("content-transfer-encoding").strip().lower())

    def text(self) -> tuple[str, bool]:
        """The content as text, and whether its charset had to be repaired."""
        return charsets.decode(self.content(), self.params.get("charset"))


@dataclass(frozen=True, slots=True)
class File:
    """An attachment or an inline image, decoded."""

    name: str
    type: str
    content: bytes
    inline: bool = False
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """A parsed mail. `text` is the plain text people read (from the HTML when there is no other)."""

    headers: Headers
    root: Part
    text: str
    html: str | None
    files: tuple[File, ...]
    marks: tuple[str, ...]
    parts: tuple[Part, ...]

    def first(self, *types: str) -> Part | None:
        """The first part of one of these types, in reading order."""
        return next((part for part in self.parts if part.type in types), None)


def parse(raw: bytes) -> Mail:
    """Never raises: what cannot be read is left out of text and files, and `marks` says so."""
    marks: dict[str, None] = {}
    if len(raw) > MAX_BYTES:
        marks["mail_too_large"] = None
        raw = raw[:MAX_BYTES]
    root, parts = _tree(raw, marks)
    texts, pages, files = _sorted(root, marks)
    page = "\n".join(pages) if pages else None
    text = "\n".join(texts)
    if page is not None and not text.strip():
        text = html.to_text(page[:MAX_TEXT])
    if len(text) > MAX_TEXT:
        marks["text_too_long"] = None
        text = text[:MAX_TEXT]
    if "\0" in text:
        marks["nul_removed"] = None
    text = clean(text.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n"))
    return Mail(root.headers, root, text, page, tuple(files), tuple(marks), tuple(parts))


def entity(data: bytes, depth: int = 0, parent: str = "", marks: dict[str, None] | None = None) -> Part:
    """Headers and body of one entity, within the limits on headers."""
    seen: dict[str, None] = {} if marks is None else marks
    block, body = _divided(data)
    if len(block) > MAX_HEADER_BLOCK:
        seen["header_block_too_large"] = None
        block = block[:MAX_HEADER_BLOCK].rpartition(b"\n")[0]
    fields = headers.split(block)
    if len(fields.fields) > MAX_HEADERS or any(len(value) > MAX_HEADER for _, value in fields.fields):
        seen["headers_cut"] = None
        fields = Headers(tuple((name, value[:MAX_HEADER]) for name, value in fields.fields[:MAX_HEADERS]))
    if not fields.fields and depth == 0:
        body = data
    kind, params = headers.parameters(fields.raw("content-type") or b"")
    if "/" not in kind:
        kind = "message/rfc822" if parent == "multipart/digest" else "text/plain"
    disposition, disposition_params = headers.parameters(fields.raw("content-disposition") or b"")
    return Part(fields, body, kind, params, depth, parent, disposition, disposition_params)


def _divided(data: bytes) -> tuple[bytes, bytes]:
    found = _END_OF_HEADERS.search(data)
    if found is None:
        return data, b""
    return data[: found.start()], data[found.end() :]


def _tree(raw: bytes, marks: dict[str, None]) -> tuple[Part, list[Part]]:
    root = entity(raw, marks=marks)
    parts, waiting = [], [root]
    while waiting:
        part = waiting.pop()
        parts.append(part)
        pieces = _pieces(part)
        if not pieces:
            continue
        if part.depth >= MAX_DEPTH:
            marks["too_deep"] = None
            continue
        room = MAX_PARTS - len(parts) - len(waiting)
        if len(pieces) > room:
            marks["too_many_parts"] = None
            pieces = pieces[: max(0, room)]
        if part.type.startswith("multipart/"):
            part.body = b""
        part.children = [entity(piece, part.depth + 1, part.type, marks) for piece in pieces]
        waiting.extend(reversed(part.children))
    return root, parts


def _pieces(part: Part) -> list[bytes]:
    """The bytes of the sub-entities of a multipart or an attached mail."""
    if part.type == "message/rfc822" or part.type == "message/global":
        attached = part.content().lstrip(b"\r\n")
        # Of a large attached mail only the headers are read; the whole is kept as a file.
        return [attached if len(attached) <= MAX_READ_ATTACHED else attached[:MAX_HEADER]]
    boundary = part.params.get("boundary", "").encode("utf-8", "replace").rstrip()
    if not part.type.startswith("multipart/") or not boundary:
        return []
    return _between(part.body, b"--" + boundary)


def _between(body: bytes, delimiter: bytes) -> list[bytes]:
    """The pieces between the delimiter's lines. Only a little of what follows a delimiter is looked at: to search for the
    end of its line each time would be quadratic."""
    pieces: list[bytes] = []
    start, at = -1, 0
    while (at := body.find(delimiter, at)) >= 0:
        end = at + len(delimiter)
        closing = body[end : end + 2] == b"--"
        behind = body[end + 2 * closing : end + MAX_PADDING].lstrip(b" \t")
        if (at and body[at - 1] not in b"\r\n") or (behind and behind[0] not in b"\r\n"):
            at = end
            continue
        if start >= 0:
            pieces.append(_without_last_break(body[start:at]))
        if closing or len(pieces) > MAX_PARTS:
            return pieces
        at = start = min(len(body), _after_break(body, end))
    if start >= 0:
        pieces.append(body[start:])
    return pieces


def _after_break(body: bytes, at: int) -> int:
    while body[at : at + 1] in (b" ", b"\t"):
        at += 1
    return at + 2 if body[at : at + 2] == b"\r\n" else at + 1


def _without_last_break(piece: bytes) -> bytes:
    return piece[:-2] if piece.endswith(b"\r\n") else piece[:-1] if piece.endswith(b"\n") else piece


def _sorted(root: Part, marks: dict[str, None]) -> tuple[list[str], list[str], list[File]]:
    """Body texts, HTML bodies and files, in reading order. An attached mail is a file; its parts are not ours."""
    texts: list[str] = []
    pages: list[str] = []
    files: list[File] = []
    waiting = [root]
    while waiting:
        part = waiting.pop()
        if part.children and part.type.startswith("multipart/"):
            waiting.extend(reversed(part.children))
            continue
        if part.type.startswith("multipart/") and not part.body.strip():
            continue
        if _is_body(part, bool(pages)):
            text, repaired = part.text()
            if repaired:
                marks["charset_repaired"] = None
            if part.type == "text/html":
                pages.append(text)
                continue
            text, inside = transfer.without_uuencoded(text)
            texts.append(text)
            files.extend(File(filenames.safe(name), filenames.type_of(name), data) for name, data in inside)
            continue
        files.append(_file(part, len(files) + 1))
    return texts, pages, files


def _is_body(part: Part, has_page: bool) -> bool:
    if part.disposition == "attachment" or part.depth > MAX_DEPTH:
        return False
    if part.filename and part.depth > 0:
        return False
    if part.type.startswith("multipart/"):
        # No part could be found in it: what is there is read as text.
        return True
    if part.type == "text/html" and part.parent == "multipart/related" and has_page:
        return False
    return part.type in ("text/plain", "text/html", "text", "text/enriched") or (
        part.depth == 0 and part.type.startswith("text/") and part.type != "text/calendar"
    )


def _file(part: Part, number: int) -> File:
    content_id = part.headers.get("content-id").strip().strip("<>") or None
    # An image that the text can refer to; without an id it is shown as a file like any other.
    inline = content_id is not None and part.type.startswith("image/") and part.disposition != "attachment"
    return File(
        name=part.filename or _made_up_name(part, number),
        type=part.type,
        content=part.content(),
        inline=inline,
        content_id=content_id,
    )


def _made_up_name(part: Part, number: int) -> str:
    if part.type in ("message/rfc822", "message/global"):
        subject = part.children[0].headers.get("subject") if part.children else ""
        return filenames.safe(subject, ".eml") or f"message-{number}.eml"
    return filenames.made_up(part.type, number)
