"""Named SQL: `queries/<file>.sql` holds blocks that begin with `-- name: <query>`."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(file: str) -> dict[str, LiteralString]:
    """The queries of one file, by name. Raises `FileNotFoundError` for a file that is not there."""
    text = files("sinks.postgres").joinpath(f"queries/{file}.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    # Checked in beside the code, so as literal as a string in it.
    return {name: cast(LiteralString, body.strip()) for name, body in zip(parts[::2], parts[1::2], strict=True)}
