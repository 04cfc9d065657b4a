"""Order numbers that a message names: by the shop's own pattern in what was newly written, and in the form's field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache

import re2

from contracts.inbound import InboundMessage
from contracts.workspace import Store

MOST_NUMBERS = 5
"""Of one message. Who pastes a list of numbers asks about none of them."""

_FIELD = "order_number"
_TEXT = 64 * 1024
_NUMBER = 64


def spelled(number: str) -> str:
    """The form in which order numbers are compared: upper case, without `#` and spaces around it."""
    return number.strip().lstrip("#").strip().upper()


def named(message: InboundMessage, stores: Iterable[Store]) -> tuple[str, ...]:
    """The numbers, each once, those of the form's field first."""
    patterns = [store.order_number for store in stores if store.order_number]
    found = dict.fromkeys(
        (*_in_field(message.fields.get(_FIELD, ""), patterns), *_in_text(message, patterns))
    )
    return tuple(found)[:MOST_NUMBERS]


def _in_field(given: str, patterns: list[str]) -> Iterator[str]:
    """What the pattern finds in it; the field as it is when it finds nothing, since that is what it is for."""
    found = [number for pattern in patterns for number in _found(pattern, given)]
    whole = spelled(given)
    if not found and whole and len(whole) <= _NUMBER and whole.isprintable():
        yield whole
    yield from found


def _in_text(message: InboundMessage, patterns: list[str]) -> Iterator[str]:
    for text in (message.subject, message.text):
        for pattern in patterns:
            yield from _found(pattern, (text or "")[:_TEXT])


def _found(pattern: str, text: str) -> Iterator[str]:
    compiled = _compiled(pattern)
    for match in compiled.finditer(text):
        # A group that took no part is None.
        number = spelled(match.group(compiled.groups) or "")
        if 0 < len(number) <= _NUMBER:
            yield number


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> re2._Regexp:
    """The configuration was checked when it was applied; RE2 takes linear time whatever the pattern and the text."""
    return re2.compile(pattern)
