"""CSV files with a line of headings, read as structs: every mistake is told with its line."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from contracts.errors import Refused

T = TypeVar("T", bound=msgspec.Struct)


def read(file: Path, kind: type[T]) -> Iterator[T]:
    """One struct a line; headings name its fields, empty values are left out. Raises `Refused`, naming the line."""
    with file.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.DictReader(text)
        try:
            for row in reader:
                yield msgspec.convert(dict(_filled(row)), kind, strict=False)
        except (msgspec.ValidationError, csv.Error, UnicodeDecodeError) as error:
            raise Refused("unreadable", f"{file}:{reader.line_num}: {error}") from None


def _filled(row: dict[str | Any, str | Any]) -> Iterator[tuple[str, str]]:
    for name, value in row.items():
        if name is None:
            raise csv.Error("more values than headings")
        if value and value.strip():
            yield name.strip(), value.strip()
