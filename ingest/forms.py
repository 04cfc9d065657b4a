"""Bodies of forms: JSON, URL-encoded, or multipart with files. Pure; raises `Poison` for bytes that are none of these."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

import msgspec
from multipart import MultipartError, MultipartParser, parse_options_header

from contracts.errors import Poison, Refused
from contracts.ids import sha256_hex
from ingest.text import one_line, undecodable

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"

_MOST_FIELDS = 100


class File(NamedTuple):
    """An uploaded file, as the browser names it, without folders."""

    name: str
    type: str
    content: bytes


class Form(NamedTuple):
    """What was sent. Of a field that comes twice the last value is meant."""

    values: dict[str, Any]
    files: list[File]


def media_type(content_type: str) -> str:
    """Without parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def parse(body: bytes, content_type: str) -> Form:
    """Anything that is not marked as form data is read as JSON."""
    if not body:
        raise Poison("empty", "no body")
    kind = media_type(content_type)
    try:
        if kind == URLENCODED:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
            return Form(dict(pairs), [])
        if kind == MULTIPART:
            return _multipart(body, content_type)
        given = msgspec.json.decode(body)
    except (ValueError, RecursionError, MultipartError) as error:
        raise Poison("undecodable", undecodable(error)) from None
    if not isinstance(given, dict):
        raise Poison("undecodable", "not an object")
    return Form(given, [])


def settled(body: bytes, content_type: str) -> tuple[bytes, str]:
    """The same form with a boundary that follows from its content. A browser takes another one each time, and a second
    press of the button would not be the same bytes."""
    boundary = parse_options_header(content_type)[1].get("boundary", "").encode("latin-1", "replace")
    if media_type(content_type) != MULTIPART or not boundary:
        return body, content_type
    pieces = body.split(b"--" + boundary)
    settled = sha256_hex(b"".join(pieces))
    return f"--{settled}".encode().join(pieces), f"{MULTIPART}; boundary={settled}"


def raw_fields(body: bytes, content_type: str) -> dict[str, bytes]:
    """The values of a form as bytes, files among them: for what has a charset of its own."""
    try:
        if media_type(content_type) == MULTIPART:
            return {part.name: part.raw for part in _parts(body, content_type)}
        pairs = parse_qsl(
            body.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_FIELDS, encoding="latin-1"
        )
    except (ValueError, MultipartError) as error:
        raise Poison("undecodable", undecodable(error)) from None
    return {name: value.encode("latin-1") for name, value in pairs}


def _parts(body: bytes, content_type: str) -> Iterator[Any]:
    boundary = parse_options_header(content_type)[1].get("boundary", "")
    if not boundary:
        raise Poison("undecodable", "no boundary")
    # The body is in memory and limited already, so no part goes to a temporary file.
    memory = {"spool_limit": len(body), "memory_limit": len(body), "disk_limit": 0}
    yield from MultipartParser(BytesIO(body), boundary, part_limit=_MOST_FIELDS, **memory)


def _decoded(part: Any) -> str:
    try:
        return str(part.raw.decode())
    except UnicodeDecodeError:
        raise Refused("invalid", "must be UTF-8 text", status=422, field=one_line(part.name, 100)) from None


def _multipart(body: bytes, content_type: str) -> Form:
    form = Form({}, [])
    for part in _parts(body, content_type):
        if part.filename is None:
            form.values[part.name] = _decoded(part)
        elif part.filename or part.raw:
            name = part.filename.replace("\\", "/").rpartition("/")[2]
            form.files.append(File(name, part.content_type or "application/octet-stream", part.raw))
    return form
