"""`frontdesk config`: a workspace as files."""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from contracts.errors import Refused
from contracts.ids import workspace_id
from contracts.workspace import Workspace
from frontdesk import console
from frontdesk.commands.replaying import MOST, back_test, show, utc
from router.backtest import Report
from router.ruleset import RuleSet
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.config_files import export_folder, load_folder, version
from sinks.postgres.config_store import ConfigStore

app = typer.Typer(help="A workspace as a folder of YAML files.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="config")


Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False)]


@app.command()
def validate(folder: Folder) -> None:
    """Checks the files. Errors name file, line, column and the fix."""
    console.output.print(f"valid: {version(load_folder(folder))}")


@app.command()
def plan(folder: Folder) -> None:
    """What applying the files would change."""
    proposed = load_folder(folder)
    current = asyncio.run(_current(proposed.slug))
    if current is None:
        console.output.print(f"new workspace {proposed.slug}")
        return
    if current == proposed:
        console.output.print("nothing would change")
    for part in Workspace.__struct_fields__:
        before, after = getattr(current, part), getattr(proposed, part)
        if before != after:
            console.output.print(f"{part}: {_shown(before)} -> {_shown(after)}", markup=False)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return f"{len(value)} entries"
    return msgspec.json.encode(value).decode()


@app.command()
def apply(
    folder: Folder,
    by: Annotated[str, typer.Option(help="who applies it")] = "command line",
    effective_from: Annotated[
        datetime | None, typer.Option("--from", help="UTC; from when on it is in force; now if not given")
    ] = None,
    accept: Annotated[bool, typer.Option(help="also if it would change many decisions")] = False,
    days: Annotated[float, typer.Option(min=0, help="how far back decisions are tried; 0: not at all")] = 7,
    most: Annotated[float, typer.Option(min=0, max=1, help="the share that may change")] = MOST,
) -> None:
    """Stores the files as a new version, in force at once. Running processes take it up within five seconds.

    Before that it is tried on past decisions, and refused (exit code 1) if it would change too many of them.
    """
    proposed = load_folder(folder)
    report = asyncio.run(_apply(proposed, by, effective_from, None if accept else most, days))
    if report is not None and report.changed:
        show(report)
    if report is not None and not accept and report.share > most:
        raise Refused(
            "changes_many", f"more than {most:.0%} of the decisions would change: --accept applies it"
        )
    console.output.print(f"applied {version(proposed)}")


@app.command()
def export(folder: Annotated[Path, typer.Argument(file_okay=False)]) -> None:
    """Writes the version in force as files."""
    slug = console.settings().workspaces[0]
    current = asyncio.run(_current(slug))
    if current is None:
        raise Refused("no_configuration", f"workspace {slug!r} has none in force")
    export_folder(current, folder)
    console.output.print(f"exported {version(current)}")


async def _apply(
    proposed: Workspace, by: str, effective_from: datetime | None, most: float | None, days: float
) -> Report | None:
    """Applies it, unless more than the share `most` (None: any share) of the past decisions would change."""
    settings, identity = console.settings(), version(proposed)
    workspace, now = workspace_id(proposed.slug), Clock(settings.clock).now()
    async with Database(settings.postgres, max_size=1) as database:
        store, report = ConfigStore(database), None
        in_force = await store.current([workspace], now)
        if most is not None and days and workspace in in_force and in_force[workspace][0] != identity:
            report = await back_test(database, workspace, RuleSet(proposed, identity), days, now)
        if report is None or most is None or report.share <= most:
            await store.apply(proposed, identity, by, utc(effective_from) if effective_from else now)
    return report


async def _current(slug: str) -> Workspace | None:
    workspace = workspace_id(slug)
    settings = console.settings()
    async with Database(settings.postgres, max_size=1) as database:
        found = await ConfigStore(database).current([workspace], Clock(settings.clock).now())
        return found[workspace][1] if workspace in found else None
