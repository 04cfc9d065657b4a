"""Named SQL: `queries/<file>.sql` holds blocks that begin with `-- name: <query>`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, LiteralString, cast

from runtime.postgres import Connection

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(file: str) -> dict[str, LiteralString]:
    """The queries of one file, by name. Raises `FileNotFoundError` for a file that is not there."""
    text = files("sinks.postgres").joinpath(f"queries/{file}.sql").read_text(encoding="utf-8")
    parts = _NAME.split(text)[1:]
    # Checked in beside the code, so as literal as a string in it.
    return {
        name: _bare(cast(LiteralString, body)) for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def _bare(body: LiteralString) -> LiteralString:
    """Without comments and indentation: psycopg takes statements of over 4,096 characters apart anew each time."""
    lines = (line.strip() for line in body.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("--"))


def columns(names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> dict[str, list[Any]]:
    """Rows turned into one array a column, in the rows' order: the shape that `unnest` takes."""
    arrays = list(zip(*rows, strict=True)) or [() for _ in names]
    return {name: list(values) for name, values in zip(names, arrays, strict=True)}


async def keyed(
    file: str,
    connection: Connection,
    query: str,
    names: Sequence[str],
    keys: Iterable[tuple[Any, ...]],
    more: Mapping[str, Any] | None = None,
) -> list[Any]:
    """The rows of a query of this file that is asked for many keys at once: each once and sorted, so that locks are taken in
    order. `names`: of the keys' columns. Without keys nothing is asked."""
    arrays = columns(names, sorted(set(keys)))
    if not arrays[names[0]]:
        return []
    return await (await connection.execute(queries(file)[query], arrays | dict(more or {}))).fetchall()
