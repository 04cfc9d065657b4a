"""What forms and chats say, in the languages that they know. Pages and scripts show the same words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Literal

import msgspec

from ingest.static_files import static

LANGUAGES = ("en", "tr", "pl", "nb", "lt")

# Norwegian goes by three names; what is written in one is read by all.
_ALIASES = {"no": "nb", "nn": "nb"}
_RANGE = re.compile(r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9-]+)?\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?$")

Texts = Mapping[str, str]


@cache
def texts(language: str, of: Literal["form", "chat"] = "form") -> Texts:
    """The words in one of `LANGUAGES`, by name."""
    known = static(f"{of}_texts.json")
    return MappingProxyType(msgspec.json.decode(known, type=dict[str, dict[str, str]])[language])


def language(*wishes: str) -> str:
    """The first of these wishes that we can fulfil, each a language tag or a list of them with weights (RFC 9110,
    Accept-Language); else English."""
    for wish in wishes:
        ranges = [found for one in wish[:200].split(",") if (found := _RANGE.match(one))]
        for found in sorted(ranges, key=lambda found: -float(found[2] or 1)):
            name = found[1].lower()
            name = _ALIASES.get(name, name)
            if name in LANGUAGES and float(found[2] or 1):
                return name
    return LANGUAGES[0]


def explained(said: Texts, reason: str, field: str | None, detail: str) -> str:
    """What was refused, in the language of the page; the door's own words where it has none."""
    return said.get(f"{field}_{reason}") or said.get(reason) or detail
