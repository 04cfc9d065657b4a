"""Where commands write, and where they find the running system."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from contracts.ids import workspace_id
from runtime.settings import Settings, load

output = Console(soft_wrap=True)
errors = Console(stderr=True)


def settings() -> Settings:
    """The settings of this command: the environment, and what is not set there from the `up.json` of a system that
    `frontdesk up` runs on the same data folder."""
    # A command says in one sentence that Postgres is away; the pool would say it in many.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    given = load()
    path = given.data / "up.json"
    if not path.exists() or "FRONTDESK_POSTGRES" in os.environ:
        return given
    where = msgspec.json.decode(path.read_bytes())
    app = where["postgres"].partition("?options=")[0].partition("&options=")[0]
    return msgspec.structs.replace(
        given,
        data=Path(where["data"]),
        kafka=where["kafka"],
        postgres=app,
        postgres_system=app.replace("frontdesk_app", "frontdesk_system"),
        allow_less_replication=True,
    )


def workspace(chosen: Settings) -> UUID:
    """The id of the workspace that this command acts on: the first of FRONTDESK_WORKSPACE."""
    return workspace_id(chosen.workspaces[0])


def spelled_out(value: Any) -> Any:
    """A payload with every field, also those at their defaults, which the wire leaves out: scripts need not know them."""
    if isinstance(value, msgspec.Struct):
        return {name: spelled_out(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, list | tuple):
        return [spelled_out(item) for item in value]
    return value


def write_json(value: Any) -> None:
    """One JSON value on one line of stdout."""
    print(msgspec.json.encode(value, order="sorted").decode(), flush=True)


def write_indented(value: Any) -> None:
    """A JSON value over many lines, for people."""
    output.print_json(msgspec.json.encode(value).decode())


def write_table(headings: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """A table for people: a row a line, as wide as it needs to be, so that names and ids can be copied."""
    lines = [list(headings), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    for number, line in enumerate(lines):
        padded = (set_cell_size(cell, width) for cell, width in zip(line, widths, strict=True))
        shown = Text("  ".join(padded).rstrip(), style="bold" if number == 0 else "")
        output.print(shown)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value.isoformat(" ", "seconds") if isinstance(value, datetime) else str(value)
