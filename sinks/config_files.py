"""A workspace as a folder of YAML 1.2 files: read with every problem named by file, line, column and fix, and written back."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError

from contracts.base import encode
from contracts.workspace import Workspace

_MAX_FILE_BYTES = 1 << 20
_CLOCK = re.compile(r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$")
_WEEKDAYS = frozenset(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))

_FILES = {
    "stores": "stores",
    "departments": "departments",
    "categories": "categories",
    "agents": "agents",
    "calendars": "calendars",
    "sla_policies": "sla",
    "rules": "rules",
    "accounts": "accounts",
}
"""Field of the workspace -> file that `export` writes it to. Reading takes any file of the folder."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.message} ({self.fix})"


class ConfigError(ValueError):
    """The folder is not a valid workspace. `problems` is never empty."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


def version(workspace: Workspace) -> str:
    """The name of this very configuration: 16 hex digits of the hash of its canonical bytes."""
    return hashlib.sha256(encode(workspace)).hexdigest()[:16]


def load_folder(folder: Path) -> Workspace:
    """The workspace of a folder. Raises `ConfigError` with everything that is wrong."""
    source = _Source()
    for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"))):
        source.read(path)
    if not source.values:
        raise ConfigError(
            [Problem(str(folder), 1, 1, "no YAML files here", "name a folder with workspace.yaml")]
        )
    try:
        workspace = msgspec.convert(source.values, Workspace, strict=True)
    except msgspec.ValidationError as error:
        raise ConfigError([_of_validation(source, str(error))]) from None
    problems = [source.problem(path, message, fix) for path, message, fix in _check(workspace)]
    if problems:
        raise ConfigError(problems)
    return workspace


def export_folder(workspace: Workspace, folder: Path) -> None:
    """Writes the workspace as files that `load_folder` reads back to the same version."""
    folder.mkdir(parents=True, exist_ok=True)
    values = msgspec.to_builtins(workspace)
    for field, name in _FILES.items():
        if field in values:
            _dump({field: values.pop(field)}, folder / f"{name}.yaml")
    _dump(values, folder / "workspace.yaml")


def _dump(values: dict[str, Any], path: Path) -> None:
    text = StringIO()
    _yaml().dump(values, text)
    path.write_text(text.getvalue(), encoding="utf-8")


def _yaml() -> YAML:
    # Round-trip mode constructs plain data only, and remembers where everything stood.
    yaml = YAML(typ="rt", pure=True)
    yaml.allow_duplicate_keys = False
    yaml.width = 120
    return yaml


class _Source:
    """The files as plain values, and where each value stands."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._nodes: dict[str, tuple[str, Any, int, int]] = {}

    def read(self, path: Path) -> None:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise ConfigError([Problem(str(path), 1, 1, "over 1 MiB", "split it or shorten it")])
        text = path.read_text(encoding="utf-8")
        if alias := re.search(r"(?m)(?:^|[\s\[,:-])[&*]\w", text):
            line = text.count("\n", 0, alias.start() + 1) + 1
            raise ConfigError(
                [Problem(str(path), line, 1, "anchors and aliases are not taken", "write it out")]
            )
        try:
            found = _yaml().load(text)
        except MarkedYAMLError as error:
            mark = error.problem_mark
            line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
            what = error.problem or "not YAML"
            raise ConfigError([Problem(str(path), line, column, what, "correct the syntax")]) from None
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                [Problem(str(path), 1, 1, f"not readable: {error}", "correct the syntax")]
            ) from None
        if found is None:
            return
        if not isinstance(found, CommentedMap):
            raise ConfigError([Problem(str(path), 1, 1, "not a mapping", "begin with a field and a colon")])
        for field, value in found.items():
            line, column = found.lc.key(field)
            if field in self.values:
                message = f"{field} is given twice"
                raise ConfigError([Problem(str(path), line + 1, column + 1, message, "keep one of them")])
            self.values[field] = _plain(value)
            self._nodes[field] = (str(path), value, line + 1, column + 1)

    def problem(self, path: tuple[str | int, ...], message: str, fix: str) -> Problem:
        """At the deepest place of the path that exists."""
        file, node, line, column = self._nodes.get(str(path[0]), ("workspace.yaml", None, 1, 1))
        for step in path[1:]:
            try:
                at = node.lc.key(step) if isinstance(step, str) else node.lc.item(step)
                node = node[step]
            except (AttributeError, KeyError, IndexError, TypeError):
                break
            line, column = at[0] + 1, at[1] + 1
        return Problem(file, line, column, message, fix)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str):
        return str(value)
    return value


_PATH = re.compile(r" - at `\$(?P<path>[^`]*)`")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]|\[\.\.\.\]")


def _of_validation(source: _Source, text: str) -> Problem:
    """msgspec's message with its path turned into a place."""
    match = _PATH.search(text)
    path: list[str | int] = []
    for name, index in _STEP.findall(match["path"] if match else ""):
        path.append(name or (int(index) if index else ""))
    message = text[: match.start()] if match else text
    fix = (
        "remove it or correct its name"
        if "unknown field" in message
        else "see contracts/schemas/workspace.schema.json"
    )
    unknown = re.search(r"unknown field `(\w+)`", message)
    if unknown:
        path.append(unknown[1])
    return source.problem(tuple(path) or ("slug",), message, fix)


class _Finding(NamedTuple):
    path: tuple[str | int, ...]
    message: str
    fix: str


def _check(workspace: Workspace) -> Iterator[_Finding]:
    """What types cannot say: unique ids, references, clocks, zones."""
    yield from _duplicates(workspace)
    yield from _references(workspace)
    for index, calendar in enumerate(workspace.calendars):
        at = ("calendars", index)
        if not _is_zone(calendar.zone):
            yield _Finding(
                (*at, "zone"), f"unknown time zone {calendar.zone!r}", "use an IANA name: Europe/Warsaw"
            )
        for field in ("hours", "overrides"):
            for day, spans in getattr(calendar, field).items():
                if field == "hours" and day not in _WEEKDAYS:
                    yield _Finding((*at, field, day), f"{day!r} is no weekday", "use mon … sun")
                if field == "overrides" and not _is_date(day):
                    yield _Finding((*at, field, day), f"{day!r} is no date", "use YYYY-MM-DD")
                for number, span in enumerate(spans):
                    if not all(_CLOCK.match(clock) for clock in span):
                        yield _Finding((*at, field, day, number), f"{list(span)} are no times", 'use "08:00"')
        for number, day in enumerate(calendar.holidays):
            if not _is_date(day):
                yield _Finding((*at, "holidays", number), f"{day!r} is no date", "use YYYY-MM-DD")
        if not any(calendar.hours.values()):
            yield _Finding((*at, "hours"), "never open", "give at least one interval")
    for index, rule in enumerate(workspace.rules):
        for keyword in (k for group in rule.groups for c in group for k in (*c.keywords, *c.subject)):
            if not keyword.strip(" *") or len(keyword) > 100:
                yield _Finding(("rules", index), f"keyword {keyword!r}", "use 1 to 100 letters")


def _duplicates(workspace: Workspace) -> Iterator[_Finding]:
    named = (
        ("stores", "id"),
        ("calendars", "id"),
        ("sla_policies", "id"),
        ("departments", "id"),
        ("agents", "id"),
        ("rules", "id"),
        ("categories", "path"),
    )
    for field, key in named:
        seen: set[str] = set()
        for index, item in enumerate(getattr(workspace, field)):
            name = getattr(item, key).casefold()
            if name in seen:
                yield _Finding(
                    (field, index, key), f"{getattr(item, key)!r} is there already", "choose another"
                )
            seen.add(name)
    doors: set[tuple[str, str]] = set()
    for index, account in enumerate(workspace.accounts):
        if (account.channel, account.id) in doors:
            yield _Finding(("accounts", index, "id"), f"{account.id!r} is there already", "choose another")
        doors.add((account.channel, account.id))


def _references(workspace: Workspace) -> Iterator[_Finding]:
    stores = {s.id for s in workspace.stores}
    calendars = {c.id for c in workspace.calendars}
    policies = {p.id for p in workspace.sla_policies}
    agents = {a.id for a in workspace.agents}
    departments = {d.id for d in workspace.departments} | {workspace.default_department}
    categories = {c.path for c in workspace.categories}
    for index, department in enumerate(workspace.departments):
        at = ("departments", index)
        yield from _known((*at, "calendar"), department.calendar, calendars)
        yield from _known((*at, "sla"), department.sla, policies)
        for number, member in enumerate(department.members):
            yield from _known((*at, "members", number), member, agents)
    for index, category in enumerate(workspace.categories):
        yield from _known(("categories", index, "department"), category.department, departments)
        for number, member in enumerate(category.members or ()):
            yield from _known(("categories", index, "members", number), member, agents)
    for index, rule in enumerate(workspace.rules):
        at = ("rules", index, "actions")
        yield from _known((*at, "department"), rule.actions.department, departments)
        yield from _known((*at, "category"), rule.actions.category, categories)
        yield from _known((*at, "assign"), rule.actions.assign, agents | {"nobody"})
    for index, account in enumerate(workspace.accounts):
        yield from _known(("accounts", index, "store"), account.store, stores)
        yield from _known(("accounts", index, "department"), account.department, departments)


def _known(path: tuple[str | int, ...], value: str | None, known: set[str]) -> Iterator[_Finding]:
    if value is not None and value not in known:
        yield _Finding(path, f"{value!r} is not defined", f"one of: {', '.join(sorted(known)) or 'none yet'}")


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
