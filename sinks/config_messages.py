"""What a value of the wrong type is told: in the words of the files, with what to write instead."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

import msgspec
from msgspec import inspect

from contracts.base import Node
from contracts.rules import EVENTS

_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")
_MISSING = re.compile(r"missing required field `(?P<name>[^`]*)`")
_ENUM = re.compile(r"nvalid enum value (?P<value>.*)")
_TYPES = {
    "array": ("must be a list", "Write `[…]`, or begin each entry with `- `."),
    "object": ("must be a mapping", "Write keys and values: `{key: value}`."),
    "bool": ("must be yes or no", "Write `true` or `false`."),
    "int": ("must be a whole number", "Write it without quotes and fractions."),
    "str": ("must be a text", "Put it in quotes."),
}
_EXPECTED = re.compile(r"xpected `(?P<wanted>\w+)(?: \| null)?`, got `(?P<given>\w+)`")
_BOUND = re.compile(r"xpected `\w+(?: \| null)?` (?P<bound>[<>]=? .*)")
_TRIGGERS = (*EVENTS, "breached", "before deadline by 15 minutes", "unassigned for 2 hours")


def told(text: str, kind: type[Node], inner: Sequence[str | int]) -> tuple[str, str, str | None]:
    """Message, fix, and the key that is unknown, of msgspec's `text` about the place `inner` inside a struct of this kind."""
    if unknown := _UNKNOWN.search(text):
        name = unknown["name"]
        return f"unknown key `{name}`", _suggestion(name, _keys(kind, inner)), name
    if missing := _MISSING.search(text):
        return f"`{missing['name']}` is missing", f"Add `{missing['name']}: …`.", None
    if enum := _ENUM.search(text):
        return f"invalid enum value {enum['value']}", _listed(_type_at(kind, inner)), None
    if "matching regex" in text:
        return "no such trigger", f"Write one like: {', '.join(_TRIGGERS)}.", None
    if (wrong := _EXPECTED.search(text)) and wrong["wanted"] in _TYPES:
        return *_TYPES[wrong["wanted"]], None
    if bound := _BOUND.search(text):
        return f"must be {bound['bound']}", "Choose another number.", None
    return text[0].lower() + text[1:], "", None


def _suggestion(name: str, known: list[str]) -> str:
    """The nearest known key, else all of them."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean `{close[0]}`?" if close else f"Known: {', '.join(known)}."


def _listed(found: inspect.Type | None) -> str:
    kinds = found.types if isinstance(found, inspect.UnionType) else (found,)
    values = [str(value) for kind in kinds if isinstance(kind, inspect.LiteralType) for value in kind.values]
    return f"Known: {', '.join(values)}." if values else ""


def _keys(kind: type[Node], inner: Sequence[str | int]) -> list[str]:
    """The keys of the struct that lies at `inner` inside `kind`."""
    found = _type_at(kind, inner)
    kinds = found.types if isinstance(found, inspect.UnionType) else (found,)
    return [f.encode_name for one in kinds if isinstance(one, inspect.StructType) for f in one.fields]


def _type_at(kind: type[Node], inner: Sequence[str | int]) -> inspect.Type | None:
    """The type that the value at `inner` must have; None where that is not known."""
    found: inspect.Type | None = msgspec.inspect.type_info(kind)
    for step in inner:
        kinds = found.types if isinstance(found, inspect.UnionType) else (found,)
        found = next((inside for one in kinds if (inside := _inside(one, step)) is not None), None)
    return found


def _inside(kind: inspect.Type | None, step: str | int) -> inspect.Type | None:
    if isinstance(kind, inspect.StructType):
        return next((field.type for field in kind.fields if field.encode_name == step), None)
    if isinstance(kind, inspect.VarTupleType):
        return kind.item_type
    if isinstance(kind, inspect.DictType):
        return kind.value_type
    if isinstance(kind, inspect.TupleType) and isinstance(step, int):
        return kind.item_types[step]
    return None
