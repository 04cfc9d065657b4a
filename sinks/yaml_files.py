"""YAML 1.2 as plain values, with the place of every one. Nothing in a file can run code or grow without bound."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Location = tuple[str | int, ...]
"""Keys and list positions that lead to a value."""

_MAX_BYTES = 1 << 20
_MAX_DEPTH = 16
# Aliases are followed, and each time counted: a few lines could stand for millions of values.
_MAX_NODES = 100_000

_TAG = "tag:yaml.org,2002:"
_COLLECTIONS = (f"{_TAG}map", f"{_TAG}seq")


class Unreadable(ValueError):
    """What is wrong with the text, and where (line and column from 1)."""

    def __init__(self, message: str, line: int = 1, column: int = 1, fix: str = "") -> None:
        super().__init__(message)
        self.message, self.line, self.column, self.fix = message, line, column, fix


@dataclass(slots=True)
class Document:
    """`value` is made of dict, list, str, int, float, bool and None; dates stay text."""

    value: Any = None
    places: dict[Location, tuple[int, int]] = field(default_factory=dict)
    """Line and column, from 1, of each value; of the key where it is a mapping's."""

    def place(self, path: Location) -> tuple[int, int]:
        """Of the value, or of the nearest thing that holds it."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, (1, 1))


def read(path: Path) -> Document:
    """The one document of a file; an empty file is None. Raises `Unreadable`."""
    content = path.read_bytes()
    if len(content) > _MAX_BYTES:
        raise Unreadable("larger than 1 MiB", fix="Split the workspace, or generate less.")
    try:
        root = YAML(typ="safe", pure=True).compose(content.decode())
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise Unreadable("not UTF-8", line, fix="Save the file as UTF-8.") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        fix = (
            "Indent with spaces."
            if "\\t" in str(error.problem)
            else "Look at this line and the one before it."
        )
        raise Unreadable(f"not YAML: {error.problem or error.context}", line, column, fix) from None
    except (YAMLError, ValueError) as error:
        raise Unreadable(f"not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise Unreadable("nested too deeply") from None
    document, reader = Document(), _Reader()
    if root is not None:
        document.value = reader.value(root, (), document)
    return document


class _Reader:
    def __init__(self) -> None:
        self._seen = 0

    def value(self, node: Node, path: Location, document: Document) -> Any:
        self._seen += 1
        if self._seen > _MAX_NODES:
            raise _at(node, "too many values", "Aliases count each time they are used.")
        if len(path) > _MAX_DEPTH:
            raise _at(node, "nested too deeply")
        document.places.setdefault(path, _place(node))
        if isinstance(node, MappingNode | SequenceNode) and str(node.tag) not in _COLLECTIONS:
            raise _at(node, f"tag {node.tag} is not allowed", "Write the plain value.")
        if isinstance(node, MappingNode):
            return self._mapping(node, path, document)
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index), document) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode):
            return _scalar(node)
        raise _at(node, "neither a value, a list nor a mapping")

    def _mapping(self, node: MappingNode, path: Location, document: Document) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value
            if not isinstance(name, str):
                raise _at(key, "a key must be a word")
            if name in found:
                raise _at(key, f"`{name}` is given twice", "Remove one of them.")
            document.places[(*path, name)] = _place(key)
            found[name] = self.value(value, (*path, name), document)
        return found


def _scalar(node: ScalarNode) -> Any:
    text, tag = node.value, str(node.tag).removeprefix(_TAG)
    try:
        if tag in ("str", "timestamp"):
            return text
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() == "true"
        if tag == "int":
            return int(text.replace("_", ""), 0 if text.lstrip("+-")[:2] in ("0x", "0o") else 10)
        if tag == "float":
            return float(text.replace("_", ""))
    except ValueError:
        raise _at(node, f"not a number: {text}", "Put it in quotes if it is a text.") from None
    raise _at(node, f"tag {node.tag} is not allowed", "Write the plain value.")


def _place(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _at(node: Node, message: str, fix: str = "") -> Unreadable:
    return Unreadable(message, *_place(node), fix)
