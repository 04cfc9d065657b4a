"""`frontdesk orders`: orders of stores that push or import them, and what any store says about somebody's orders."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import Progress

from contracts.errors import Refused, Transient
from desk.orders import Orders, PushedOrder
from frontdesk import console, csv_files
from frontdesk.in_force import configuration
from identity.canonical import canonical
from identity.orders import sources
from identity.orders.numbers import spelled
from identity.orders.source import Asked, ShopOrder
from runtime.clock import Clock
from runtime.postgres import Database
from runtime.settings import Settings

app = typer.Typer(help="Orders: import, find.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="orders")


_AT_ONCE = 500

Store = Annotated[str, typer.Option(help="a store of the configuration")]
Json = Annotated[bool, typer.Option("--json", help="one JSON value a line")]


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV (UTF-8) with a line of headings")
    ],
    store: Store,
    region: Annotated[str | None, typer.Option(help="country of numbers without a country code: PL")] = None,
    json: Json = False,
) -> None:
    """Stores the orders of a CSV file. Headings: number, email, phone, status, payment, fulfilment, total, currency,
    placed_at, updated_at; all but the first may be missing. The same file again changes nothing."""
    settings, orders = console.settings(), list(csv_files.read(file, PushedOrder))
    stored = asyncio.run(_push(settings, store, orders, region))
    if json:
        console.write_json({"read": len(orders), "stored": stored})
    else:
        console.output.print(f"{len(orders)} orders read, {stored} of them new or newer")


@app.command()
def find(
    kind: Annotated[
        Literal["number", "email", "phone"], typer.Argument(help="what orders are looked for by")
    ],
    value: Annotated[str, typer.Argument(help="the number of an order, an address, a telephone number")],
    store: Store,
    json: Json = False,
) -> None:
    """Asks the store as a message would. Exit code 3 when it does not answer."""
    value = spelled(value) if kind == "number" else canonical(kind, value) or value
    found = asyncio.run(_find(console.settings(), store, Asked(kind, value)))
    if found is None:
        raise Transient(f"store {store} does not say what orders there are")
    if json:
        for one in found:
            console.write_json(console.spelled_out(one.order) | {"email": one.email, "phone": one.phone})
        return
    fields = ("number", "status", "payment", "fulfilment", "total", "currency", "placed_at")
    rows = ([*(getattr(one.order, name) for name in fields), one.email, one.phone] for one in found)
    console.write_table((*fields, "email", "phone"), rows)


async def _push(settings: Settings, store: str, orders: Sequence[PushedOrder], region: str | None) -> int:
    workspace, stored = console.workspace(settings), 0
    async with Database(settings.postgres, max_size=1) as database:
        config, pushing = await configuration(database, settings), Orders(database, Clock(settings.clock))
        with Progress(console=console.errors, transient=True) as progress:
            task = progress.add_task("orders", total=len(orders))
            for at in range(0, max(1, len(orders)), _AT_ONCE):
                part = orders[at : at + _AT_ONCE]
                stored += (await pushing.push(workspace, config, store, part, region)).stored
                progress.advance(task, len(part))
    return stored


async def _find(settings: Settings, named: str, asked: Asked) -> Sequence[ShopOrder] | None:
    async with Database(settings.postgres, max_size=1) as database:
        config = await configuration(database, settings)
        store = next((store for store in config.stores if store.id == named), None)
        if store is None or store.orders is None:
            raise Refused("no_orders", f"store {named!r} says nowhere where its orders are known")
        known = sources(settings, database)
        try:
            answers = await known[store.orders].find((console.workspace(settings), named), [asked])
        finally:
            for source in known.values():
                await source.close()
        return answers.get(asked)
