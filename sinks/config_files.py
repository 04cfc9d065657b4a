"""A workspace as a folder of YAML files: read with every error named at its place, written, and hashed.

`workspace.yaml` holds the single settings; each other file of `FILES` is a list. A missing list file is an empty list.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from ruamel.yaml import YAML

from contracts.base import encode
from contracts.ids import sha256_hex
from contracts.workspace import (
    Account,
    Agent,
    Calendar,
    Category,
    Department,
    Node,
    Rule,
    SlaPolicy,
    Store,
    Workspace,
)
from sinks import config_checks
from sinks.yaml_files import Document, Location, Unreadable, read

MAIN = "workspace.yaml"

FILES: dict[str, tuple[str, type[Node]]] = {
    "stores": ("stores.yaml", Store),
    "calendars": ("calendars.yaml", Calendar),
    "sla_policies": ("sla.yaml", SlaPolicy),
    "departments": ("departments.yaml", Department),
    "categories": ("categories.yaml", Category),
    "agents": ("agents.yaml", Agent),
    "rules": ("rules.yaml", Rule),
    "accounts": ("accounts.yaml", Account),
}
"""Part of the workspace -> its file and the type of its entries."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One error of the files. Line and column count from 1; `fix` says what to do, as far as that is known."""

    file: str
    line: int
    column: int
    message: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message}" + (
            f". {self.fix}" if self.fix else ""
        )


class ConfigError(Exception):
    """The files are no valid workspace. Its text has one line a problem, in the order of the files."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def version(workspace: Workspace) -> str:
    """16 hex digits that name this configuration: the same content has the same version, wherever it is written."""
    return sha256_hex(encode(workspace))[:16]


def load_folder(path: Path) -> Workspace:
    """The workspace in this folder. Raises `ConfigError` with every problem that could be found."""
    reader = _Reader(Path(path))
    workspace = reader.workspace()
    if workspace is not None:
        for location, message, fix in config_checks.check(workspace):
            reader.add(location, message, fix)
    if workspace is None or reader.problems:
        raise ConfigError(reader.problems)
    return workspace


def export_folder(workspace: Workspace, path: Path) -> None:
    """Writes files that `load_folder` reads back as the same workspace. Comments of older files are lost."""
    path.mkdir(parents=True, exist_ok=True)
    parts = msgspec.to_builtins(workspace)
    single = {name: value for name, value in parts.items() if name not in FILES}
    _dump(single, path / MAIN)
    for part, (file, _) in FILES.items():
        _dump(parts.get(part, []), path / file)


def _dump(value: Any, path: Path) -> None:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # typed as its default, None
    yaml.allow_unicode = True
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(value, file)


_AT = re.compile(r" - at `(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"unknown field `(?P<name>[^`]*)`")
_STEP = re.compile(r"\.(?P<name>[\w]+)|\[(?P<index>\d+)\]")


class _Reader:
    """Reads the files, and keeps what is wrong with them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._documents: dict[str, Document] = {}
        self.problems: list[Problem] = []

    def workspace(self) -> Workspace | None:
        """The workspace as far as types go, or None."""
        if not (self._folder / MAIN).is_file():
            self.problems.append(
                Problem(MAIN, 1, 1, f"no such file in {self._folder}", "Every workspace has one.")
            )
            return None
        values = {part: self._entries(part) for part in FILES}
        main = self._document(MAIN).value
        if not isinstance(main, dict):
            self.add((), "must be a mapping", "Write `slug: …` and `name: …`.")
        if self.problems:
            return None
        for part in sorted(FILES.keys() & main.keys()):
            self.add((part,), f"`{part}` does not belong here", f"Write it in {FILES[part][0]}.")
        lists = {part: values[part] for part in FILES}
        found: Workspace | None = self._convert(
            {k: v for k, v in main.items() if k not in FILES}, Workspace, ()
        )
        if found is None or self.problems:
            return None
        return msgspec.structs.replace(found, **lists)

    def add(self, location: Location, message: str, fix: str = "") -> None:
        """A problem at this place of the workspace."""
        file, inner = _file_of(location)
        line, column = self._document(file).place(inner)
        self.problems.append(Problem(file, line, column, message, fix))

    def _document(self, file: str) -> Document:
        if file not in self._documents:
            self._documents[file] = Document()
            if (self._folder / file).exists():
                try:
                    self._documents[file] = read(self._folder / file)
                except Unreadable as error:
                    self.problems.append(Problem(file, error.line, error.column, error.message, error.fix))
        return self._documents[file]

    def _entries(self, part: str) -> tuple[Any, ...]:
        file, kind = FILES[part]
        value = self._document(file).value
        if value is None:
            return ()
        if not isinstance(value, list):
            self.add((part,), "must be a list", "Begin each entry with `- `.")
            return ()
        return tuple(self._convert(entry, kind, (part, index)) for index, entry in enumerate(value))

    def _convert(self, value: Any, kind: type[Node], location: Location) -> Any:
        try:
            return msgspec.convert(value, type=kind)
        except msgspec.ValidationError as error:
            self._explain(str(error), kind, location)
            return None

    def _explain(self, text: str, kind: type[Node], location: Location) -> None:
        at = _AT.search(text)
        steps = _STEP.finditer(at["path"] if at else "")
        inner = tuple(int(step["index"]) if step["index"] else step["name"] for step in steps)
        message = _AT.sub("", text)
        if unknown := _UNKNOWN.search(message):
            name = unknown["name"]
            self.add((*location, *inner, name), f"unknown key `{name}`", _suggestion(name, kind, inner))
        else:
            self.add((*location, *inner), message[0].lower() + message[1:])


def _file_of(location: Location) -> tuple[str, Location]:
    if location and location[0] in FILES and len(location) > 1:
        return FILES[str(location[0])][0], location[1:]
    if location and location[0] in FILES:
        return FILES[str(location[0])][0], ()
    return MAIN, location


def _suggestion(name: str, kind: type[Node], inner: Location) -> str:
    """The nearest known key, else all of them."""
    known = _fields(kind, inner)
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean `{close[0]}`?" if close else f"Known keys: {', '.join(known)}."


def _fields(kind: type[Node], inner: Location) -> list[str]:
    """The keys of the struct that lies at `inner` inside `kind`."""
    found: msgspec.inspect.Type = msgspec.inspect.type_info(kind)
    for step in inner:
        if isinstance(found, msgspec.inspect.StructType):
            found = next(field.type for field in found.fields if field.encode_name == step)
        elif isinstance(found, msgspec.inspect.VarTupleType):
            found = found.item_type
    return [f.encode_name for f in found.fields] if isinstance(found, msgspec.inspect.StructType) else []
