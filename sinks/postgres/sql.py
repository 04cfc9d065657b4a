"""Named SQL: `queries/<file>.sql` holds blocks that begin with `-- name: <query>`."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, LiteralString, TypeVar, cast

from runtime.postgres import Connection, Result

T = TypeVar("T")

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


async def run(
    connection: Connection,
    query: LiteralString,
    names: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    more: Mapping[str, Any] | None = None,
) -> Result:
    """Runs a query that takes one array a column. `names`: of these columns; `more`: its other parameters."""
    if len(rows) != 1:
        return await connection.execute(query, columns(names, rows) | dict(more or {}))
    # What people do is one row, and arrays are what costs most of it. As text, a value has the type that the query gives it:
    # else each combination of those that are null would be a statement of its own to prepare.
    values = dict(zip(names, map(_text, rows[0]), strict=True))
    return await connection.execute(_of_one(query, tuple(names)), values | dict(more or {}))


@cache
def _of_one(query: LiteralString, names: tuple[str, ...]) -> LiteralString:
    """The query with these arrays made of one value each, by the server."""
    arrays = rf"(%\((?:{'|'.join(names)})\)s::\w+)\[\]"
    return re.sub(arrays, r"ARRAY[\1]", query)


def _text(value: Any) -> str | bytes | None:
    if value is None or isinstance(value, str | bytes):
        return value
    return value.isoformat() if isinstance(value, datetime) else str(value)


Answer = Callable[[], Awaitable[T]]
"""What a statement was asked for; to be awaited once, after everything else that can be asked without knowing it: in a
`short` transaction all of that is one round trip."""


async def ask(
    file: str,
    connection: Connection,
    query: str,
    names: Sequence[str],
    keys: Iterable[tuple[Any, ...]],
    shape: Callable[[list[Any]], T],
    more: Mapping[str, Any] | None = None,
) -> Answer[T]:
    """Asks a query of this file for many keys at once: each once and sorted, so that locks are taken in order. `names`: of
    the keys' columns; `shape`: what is made of the rows. Without keys nothing is asked, and there are no rows."""
    rows = sorted(set(keys))
    cursor = await run(connection, queries(file)[query], names, rows, more) if rows else None

    async def answer() -> T:
        return shape(await cursor.fetchall() if cursor else [])

    return answer
