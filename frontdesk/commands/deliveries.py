"""`frontdesk deliveries`: what became of mail that leaves."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

import typer

from frontdesk import console
from runtime.postgres import Database
from runtime.settings import Settings
from sinks.postgres.delivery_store import DeliveryStore, ListedDelivery


def deliveries(
    state: Annotated[Literal["waiting", "sent", "failed"] | None, typer.Option(help="only these")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 50,
    json: Annotated[bool, typer.Option("--json", help="one JSON value a line")] = False,
) -> None:
    """Mail that leaves, newest first: whether the mail server has taken it, and what it said. `unsure`: it may come twice."""
    found = asyncio.run(_listed(console.settings(), state, limit))
    if json:
        for one in found:
            console.write_json(one._asdict())
        return
    console.write_table(ListedDelivery._fields, found)


async def _listed(settings: Settings, state: str | None, limit: int) -> list[ListedDelivery]:
    async with Database(settings.postgres, max_size=1) as database:
        return await DeliveryStore(database).listed(console.workspace(settings), state, limit)


def register(app: typer.Typer) -> None:
    app.command()(deliveries)
