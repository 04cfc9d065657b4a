"""`frontdesk customer code`, `confirm`, `vouch`, `import`: proofs that come without a message."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar
from uuid import UUID

import msgspec
import typer
from rich.progress import Progress

from contracts.workspace import Workspace
from desk.proofs import ImportedCustomer, Proofs, Recorded
from frontdesk import console, csv_files
from frontdesk.commands.customer import Actor, Json, Named, Reason, actor_of
from frontdesk.in_force import configuration
from runtime.clock import Clock
from runtime.postgres import Database

_AT_ONCE = 500

T = TypeVar("T")


def code(
    named: Named,
    email: Annotated[str, typer.Argument(help="where the code goes")],
    language: Annotated[str, typer.Option(help="of the mail; without it, the customer's")] = "",
    actor: Actor = None,
    json: Json = False,
) -> None:
    """Mails a code to an address; when it comes back, the address is the customer's."""
    by = actor_of(actor)
    _written(
        _with(lambda proofs, at, config: proofs.send_code(at, config, by, named, email, wished=language)),
        json,
    )


def confirm(
    proof: Annotated[UUID, typer.Argument(help="as `customer code` printed it")],
    code: Annotated[str, typer.Argument(help="the code that came back")],
    actor: Actor = None,
) -> None:
    """The customer told us a code that was mailed."""
    by = actor_of(actor)
    _with(lambda proofs, at, _: proofs.confirm(at, by, proof, code))
    console.output.print("the code is right")


def vouch(
    named: Named,
    handle: Annotated[str, typer.Argument(metavar="HANDLE", help="as KIND:VALUE")],
    reason: Reason = "",
    actor: Actor = None,
    json: Json = False,
) -> None:
    """Says that a handle is the customer's, on your own word."""
    by = actor_of(actor)
    _written(_with(lambda proofs, at, config: proofs.vouch(at, config, by, named, handle, reason)), json)


def import_(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="CSV (UTF-8) with a line of headings")
    ],
    region: Annotated[str | None, typer.Option(help="country of numbers without a country code: PL")] = None,
    actor: Actor = None,
    json: Json = False,
) -> None:
    """Imports the shop's own list, as the truth: who is on one line is one person. Headings: id, email, phone, name. The same
    file again changes nothing."""
    by, customers = actor_of(actor), list(csv_files.read(file, ImportedCustomer))
    recorded = _with(lambda proofs, at, _: _imported(proofs, at, by, customers, region))
    _written(Recorded(recorded=recorded), json)


async def _imported(
    proofs: Proofs, workspace: UUID, by: str, customers: Sequence[ImportedCustomer], region: str | None
) -> int:
    recorded = 0
    with Progress(console=console.errors, transient=True) as progress:
        task = progress.add_task("customers", total=len(customers))
        for at in range(0, len(customers), _AT_ONCE):
            part = customers[at : at + _AT_ONCE]
            recorded += (await proofs.import_(workspace, by, part, True, region)).recorded
            progress.advance(task, len(part))
    return recorded


def _with(use: Callable[[Proofs, UUID, Workspace], Awaitable[T]]) -> T:
    settings = console.settings()

    async def run() -> T:
        async with Database(settings.postgres, max_size=1) as database:
            proofs = Proofs(database, Clock(settings.clock), settings.gateway_url)
            return await use(proofs, console.workspace(settings), await configuration(database, settings))

    return asyncio.run(run())


def register(customers: typer.Typer) -> None:
    for command in (code, confirm, vouch):
        customers.command()(command)
    customers.command("import")(import_)


def _written(found: msgspec.Struct, json: bool) -> None:
    plain = msgspec.to_builtins(found)
    console.write_json(plain) if json else console.write_indented(plain)
