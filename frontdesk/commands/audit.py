"""`frontdesk audit`: whether the trail is whole."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from frontdesk import console
from runtime.postgres import Database
from sinks.audit import verify_audit

app = typer.Typer(help="The append-only trail of tickets.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="audit")


@app.callback()
def _group() -> None:
    """Keeps `verify` a sub-command although it is the only one."""


@app.command()
def verify(json: Annotated[bool, typer.Option("--json")] = False) -> None:
    """Checks every ticket's chain and every seal. Exit code 1 names what was edited, removed or added."""
    faults = asyncio.run(_faults())
    for fault in faults:
        console.write_json(fault) if json else console.output.print(str(fault))
    if not faults and not json:
        console.output.print("every chain and every seal holds")
    raise typer.Exit(1 if faults else 0)


async def _faults() -> list[object]:
    settings = console.settings()
    async with Database(settings.postgres_system, max_size=1) as database:
        return list(await verify_audit(settings, database))
