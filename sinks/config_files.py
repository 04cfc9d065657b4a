"""A workspace as a folder of YAML files: read with every error named at its place, written, and hashed.

Each `*.yaml` file is a mapping of fields of the workspace; a field stands in one file. By custom `workspace.yaml` holds
the single settings, and every list has a file of its own (`FILES`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import msgspec
from ruamel.yaml import YAML

from contracts.base import Node, encode
from contracts.errors import Misconfigured
from contracts.ids import sha256_hex
from contracts.workspace import Workspace
from sinks import config_checks, config_messages
from sinks.yaml_files import Document, Location, Unreadable, read

MAIN = "workspace.yaml"

FILES = {
    "stores": "stores.yaml",
    "calendars": "calendars.yaml",
    "sla_policies": "sla.yaml",
    "departments": "departments.yaml",
    "categories": "categories.yaml",
    "agents": "agents.yaml",
    "rules": "rules.yaml",
    "accounts": "accounts.yaml",
    "templates": "templates.yaml",
    "webhooks": "webhooks.yaml",
}
"""List of the workspace -> the file that `export_folder` writes it to."""


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


class ConfigError(Misconfigured):
    """The folder is no valid workspace. `problems` is never empty; the text has one line for each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(set(problems))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def version(workspace: Workspace) -> str:
    """16 hex digits that name this configuration: the same content has the same version, wherever it is written."""
    return sha256_hex(encode(workspace))[:16]


def load_folder(folder: Path) -> Workspace:
    """The workspace of a folder. Raises `ConfigError` with every problem that could be found."""
    source = _Source(folder)
    workspace = source.workspace()
    if workspace is not None:
        for location, message, fix in config_checks.check(workspace):
            source.add(location, message, fix)
    if workspace is None or source.problems:
        raise ConfigError(source.problems)
    return workspace


def export_folder(workspace: Workspace, folder: Path) -> None:
    """Writes files that `load_folder` reads back to the same version. Comments of older files are lost."""
    folder.mkdir(parents=True, exist_ok=True)
    values = msgspec.to_builtins(workspace)
    _dump({name: value for name, value in values.items() if name not in FILES}, folder / MAIN)
    for name, file in FILES.items():
        _dump({name: values.get(name, [])}, folder / file)


def _dump(values: dict[str, Any], path: Path) -> None:
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 120
    yaml.dump(values, path)


_AT = re.compile(r" - at `(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<name>\w+)|\[(?P<index>\d+|\.\.\.)\]")


class _Source:
    """The files of a folder, and what is wrong with them."""

    def __init__(self, folder: Path) -> None:
        self.problems: list[Problem] = []
        self._documents: dict[str, Document] = {}
        self._file_of: dict[str, str] = {}
        for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"))):
            self._read(path)
        if not self._documents and not self.problems:
            self.problems.append(
                Problem(str(folder), 1, 1, "no YAML files here", f"Name a folder with {MAIN}.")
            )

    def _read(self, path: Path) -> None:
        file = str(path)
        try:
            document = read(path)
        except Unreadable as error:
            self.problems.append(Problem(file, error.line, error.column, error.message, error.fix))
            return
        self._documents[file] = document
        if not isinstance(document.value, dict | None):
            self.problems.append(Problem(file, 1, 1, "must be a mapping", "Begin with a field and a colon."))
            document.value = None
        for field in document.value or ():
            if field in self._file_of:
                fix = f"Keep it here or in {Path(self._file_of[field]).name}."
                message = f"`{field}` is given in two files"
                self.problems.append(Problem(file, *document.place((field,)), message, fix))
            else:
                self._file_of[field] = file

    def workspace(self) -> Workspace | None:
        """The workspace as far as types go; None with problems added."""
        if self.problems:
            return None
        given = {field: self._documents[file].value[field] for field, file in self._file_of.items()}
        lists = {field.name: field.type for field in msgspec.structs.fields(Workspace) if field.name in FILES}
        single = {field: value for field, value in given.items() if field not in lists}
        found: Workspace | None = self._convert(single, Workspace, ())
        parts = {
            field: self._entries(field, given[field], kind) for field, kind in lists.items() if field in given
        }
        return None if found is None or self.problems else msgspec.structs.replace(found, **parts)

    def _entries(self, field: str, value: Any, kind: Any) -> tuple[Any, ...]:
        """Each entry by itself, so that one error does not hide those of the others."""
        if not isinstance(value, list):
            self.add((field,), "must be a list", "Begin each entry with `- `.")
            return ()
        entry = get_args(kind)[0]
        return tuple(self._convert(item, entry, (field, index)) for index, item in enumerate(value))

    def add(self, location: Location, message: str, fix: str = "") -> None:
        """A problem at this place of the workspace."""
        file = self._file_of.get(str(location[0]) if location else "", self._file_of.get("slug", ""))
        main = next((name for name in self._documents if Path(name).name == MAIN), None)
        file = file or main or next(iter(self._documents))
        self.problems.append(Problem(file, *self._documents[file].place(location), message, fix))

    def _convert(self, value: Any, kind: type[Node], location: Location) -> Any:
        try:
            return msgspec.convert(value, type=kind)
        except msgspec.ValidationError as error:
            self._explain(str(error), value, kind, location)
            return None

    def _explain(self, text: str, value: Any, kind: type[Node], location: Location) -> None:
        at = _AT.search(text)
        inner = tuple(_steps(at["path"] if at else "", value, text))
        message, fix, unknown = config_messages.told(_AT.sub("", text), kind, inner)
        self.add((*location, *inner, *((unknown,) if unknown else ())), message, fix)


def _steps(path: str, value: Any, text: str) -> Iterator[str | int]:
    """The keys and indices of a path. It leaves out the keys of mappings, which are those whose value the text quotes."""
    for step in _STEP.finditer(path):
        index = step["index"]
        if index == "...":
            named = next(
                (key for key, one in value.items() if isinstance(one, str) and repr(one) in text), None
            )
            if named is None:
                return
            key: str | int = named
        else:
            key = int(index) if index else step["name"]
        yield key
        value = value[key]
