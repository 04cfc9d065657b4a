"""`frontdesk customer`: who is who, and the corrections of people."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar
from uuid import UUID

import msgspec
import typer

from desk.customers import Customers
from desk.evidence import Withdrawal, withdraw
from desk.export import Export
from frontdesk import console
from frontdesk.in_force import configuration
from identity.audit import differences
from identity.tombstones import Tombstones
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.archive import archive_of

app = typer.Typer(
    help="Customers: show, tag, merge, unmerge, split, suggestions, reject, export, erase, revoke, check, code, confirm, vouch, "
    "import.",
    no_args_is_help=True,
)


def register(parent: typer.Typer) -> None:
    from frontdesk.commands import proofs

    proofs.register(app)
    parent.add_typer(app, name="customer")


T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="one JSON value a line")]
Named = Annotated[str, typer.Argument(metavar="CUSTOMER", help="a customer id, or a handle as KIND:VALUE")]
Reason = Annotated[str, typer.Option(help="why; it stays in the history")]
Actor = Annotated[str | None, typer.Option(help="who does it; without it, the user of this machine")]


@app.command()
def show(named: Named, json: Json = False) -> None:
    """A customer with everybody merged into it: handles with their proofs, merges, tickets, history."""
    _write(_with(lambda customers, workspace: customers.detail(workspace, named)), json)


@app.command()
def tag(
    named: Named,
    tags: Annotated[list[str], typer.Argument(help="such as vip")],
    remove: Annotated[bool, typer.Option("--remove", help="takes them away")] = False,
    json: Json = False,
) -> None:
    """Gives a customer tags, which rules read. Prints all that they have then."""
    having = _with(lambda customers, workspace: customers.tag(workspace, named, tags, remove))
    console.write_json(having) if json else console.output.print(", ".join(having) or "no tags")


@app.command()
def merge(
    named: Named,
    into: Annotated[str, typer.Argument(metavar="INTO", help="the customer that remains, likewise")],
    reason: Reason = "",
    actor: Actor = None,
    preview: Annotated[bool, typer.Option("--preview", help="only say what it would do")] = False,
    json: Json = False,
) -> None:
    """Merges a customer into another. With two different logins a second person must ask for the same."""
    if preview:
        _write(_with(lambda customers, workspace: customers.preview(workspace, named, into)), json)
        return
    by = actor_of(actor)
    _write(_with(lambda customers, workspace: customers.merge(workspace, by, named, into, reason)), json)


@app.command()
def unmerge(named: Named, reason: Reason = "", actor: Actor = None, json: Json = False) -> None:
    """Takes a customer's merge into another back, exactly. CUSTOMER is the one that was merged, by its id."""
    by = actor_of(actor)
    _write(_with(lambda customers, workspace: customers.unmerge(workspace, by, named, reason)), json)


@app.command()
def split(
    named: Named,
    handle: Annotated[str, typer.Argument(metavar="HANDLE", help="as KIND:VALUE, one that is verified")],
    reason: Reason = "",
    actor: Actor = None,
    json: Json = False,
) -> None:
    """Gives one verified handle of a customer to a new one."""
    by = actor_of(actor)
    _write(_with(lambda customers, workspace: customers.split(workspace, by, named, handle, reason)), json)


@app.command()
def suggestions(named: Named, json: Json = False) -> None:
    """Who may be the same customer, the likeliest first, and what speaks for it. Names alone never do."""
    found = _with(lambda customers, workspace: customers.suggestions.of(workspace, named))
    if json:
        for one in found:
            console.write_json(msgspec.to_builtins(one))
        return
    rows = (
        (one.customer, one.name, one.score, ", ".join(e.signal for e in one.evidence), one.vetoed)
        for one in found
    )
    console.write_table(("customer", "name", "score", "evidence", "vetoed"), rows)


@app.command()
def reject(
    named: Named,
    other: Annotated[str, typer.Argument(metavar="OTHER", help="who is somebody else, likewise")],
    reason: Reason = "",
    actor: Actor = None,
) -> None:
    """Says that two customers are not one: never suggested again, nor merged but by people."""
    by = actor_of(actor)
    _with(lambda customers, workspace: customers.suggestions.reject(workspace, by, named, other, reason))
    console.output.print("rejected")


@app.command()
def export(
    named: Named,
    out: Annotated[
        Path | None,
        typer.Option(file_okay=False, help="folder for customer.json and files/; none: JSON alone"),
    ] = None,
    actor: Actor = None,
) -> None:
    """Everything that is stored about a customer and everybody merged into it, as JSON with the files. Stays in the history."""
    by = actor_of(actor)

    async def run(customers: Customers, workspace: UUID) -> Export:
        found = await customers.exporter.export(workspace, by, named)
        if out is not None:
            await customers.exporter.write_folder(found, out)
        return found

    found = _with(run)
    if out is None:
        print(found.encoded().decode())
    else:
        console.output.print(
            f"{out}: customer.json and {len(found.files)} files", markup=False, highlight=False
        )


@app.command()
def erase(
    named: Named,
    reason: Annotated[
        str, typer.Option(help="why; it stays in the history and must not name the person")
    ] = "",
    actor: Actor = None,
    json: Json = False,
) -> None:
    """Erases a customer with everybody merged into it: messages, files, subjects, handles. Cannot be taken back."""
    by = actor_of(actor)
    _write(_with(lambda customers, workspace: customers.erasure.erase(workspace, by, named, reason)), json)


@app.command()
def revoke(
    evidence: Annotated[str, typer.Option(help="as `customer show` prints it, or CHANNEL/ACCOUNT")],
    reason: Reason = "",
    actor: Actor = None,
    json: Json = False,
) -> None:
    """Ends every link and automatic merge that only this evidence proves. The tickets concerned are listed and get a note,
    and their queues are told."""
    settings, by = console.settings(), actor_of(actor)

    async def run() -> Withdrawal:
        async with Database(settings.postgres, max_size=1) as database:
            config = await configuration(database, settings)
            return await withdraw(database, Clock(settings.clock), config, by, evidence, reason)

    _write(asyncio.run(run()), json)


@app.command()
def check(json: Json = False) -> None:
    """Whether links and merges are what their history says. Exit code 1 when they are not."""
    settings = console.settings()

    async def compare() -> list[str]:
        async with Database(settings.postgres, max_size=1) as database:
            return await differences(database, console.workspace(settings))

    found = asyncio.run(compare())
    for line in found:
        console.write_json(line) if json else console.output.print(line, markup=False, highlight=False)
    if not found and not json:
        console.output.print("the links are what their history says")
    raise typer.Exit(1 if found else 0)


def _with(use: Callable[[Customers, UUID], Awaitable[T]]) -> T:
    settings = console.settings()

    async def run() -> T:
        async with Database(settings.postgres, max_size=1) as database:
            customers = Customers(
                database, Clock(settings.clock), Tombstones.load(settings), archive_of(settings)
            )
            return await use(customers, console.workspace(settings))

    return asyncio.run(run())


def actor_of(given: str | None) -> str:
    """Who acts: as given, else the user of this machine."""
    return given or f"operator:{getpass.getuser()}"


def _write(found: msgspec.Struct, json: bool) -> None:
    plain: Any = msgspec.to_builtins(found)
    console.write_json(plain) if json else console.write_indented(plain)
