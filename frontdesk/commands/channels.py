"""`frontdesk channels`: how the sources that we read stand, and whether every mail of theirs is here."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from frontdesk import console
from runtime.postgres import Database
from runtime.settings import Settings
from sinks.postgres.source_store import ListedSource, SourceStore


def channels(json: Annotated[bool, typer.Option("--json", help="one JSON value a line")] = False) -> None:
    """Mailboxes and bots with their state. Of a folder also how many of its mails were not here when it was last compared
    with the server, and when that last found every one."""
    sources = asyncio.run(_listed(console.settings()))
    if json:
        for source in sources:
            console.write_json(source._asdict())
        return
    console.write_table(ListedSource._fields, sources)


async def _listed(settings: Settings) -> list[ListedSource]:
    async with Database(settings.postgres, max_size=1) as database:
        return await SourceStore(database).listed(console.workspace(settings))


def register(app: typer.Typer) -> None:
    app.command()(channels)
