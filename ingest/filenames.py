"""Names of files: safe to show and to store, and made up when a part has none."""

from __future__ import annotations

import re
from mimetypes import MimeTypes

from ingest.text import clean

MAX_NAME = 200

# The built-in table only: what a machine has configured must not change a message.
_TYPES = MimeTypes()
_UNSAFE = re.compile(r"[\x00-\x1f\x7f/\\\u202a-\u202e\u2066-\u2069]+")
_TNEF = ("application/ms-tnef", "application/vnd.ms-tnef")


def safe(given: str, extension: str = "") -> str:
    """The name without path separators, control and direction characters; empty when nothing is left."""
    name = _UNSAFE.sub("_", clean(given)).strip(" ._")[: MAX_NAME - len(extension)]
    return name + extension if name else ""


def made_up(kind: str, number: int) -> str:
    """A name for the part of this type and position."""
    if kind in _TNEF:
        return "winmail.dat"
    return f"attachment-{number}{_TYPES.guess_extension(kind) or '.bin'}"


def type_of(name: str) -> str:
    """The media type that a name suggests."""
    return _TYPES.guess_type(name)[0] or "application/octet-stream"
