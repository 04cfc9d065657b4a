"""`tickets`, `trace`, `verify`: what is stored, and whether all of it is."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Any

import msgspec
import typer

from contracts.errors import Refused
from frontdesk import console
from ingest.spool import pending
from runtime.postgres import Database
from sinks.postgres.inspection import Inspection
from sinks.verify import verify as verify_ledger

Json = Annotated[bool, typer.Option("--json", help="one JSON value a line")]


def register(app: typer.Typer) -> None:
    for command in (tickets, trace, verify):
        app.command()(command)


def tickets(
    department: Annotated[str | None, typer.Option(help="slug")] = None,
    status: Annotated[str | None, typer.Option(help="new, open, waiting, solved")] = None,
    json: Json = False,
) -> None:
    """The tickets of the workspace, oldest number first."""
    asyncio.run(_tickets(department, status, json))


async def _tickets(department: str | None, status: str | None, json: bool) -> None:
    settings = console.settings()
    async with Database(settings.postgres, max_size=1) as database:
        inspection = Inspection(database, console.workspace(settings))
        stored = [row async for row in inspection.tickets(department, status)]
    if json:
        for row in stored:
            console.write_json(console.spelled_out(row.ticket) | {"version": row.version})
        return
    headings = ("number", "department", "priority", "status", "agent", "due", "subject")
    shown = [row.ticket for row in stored]
    console.write_table(
        headings,
        (
            (
                t.number,
                t.department,
                t.priority,
                t.status,
                t.agent or "(queue)",
                t.deadline and t.deadline.due_at,
                t.subject,
            )
            for t in shown
        ),
    )


def trace(
    named: Annotated[str, typer.Argument(help="a receipt, message id, ticket id or ticket number")],
    json: Json = False,
    wait: Annotated[float, typer.Option(help="seconds to wait for it to arrive")] = 10.0,
) -> None:
    """Follows a message to its ticket: record, customer, decision, trail."""
    found = asyncio.run(_trace(named, wait))
    console.write_json(found) if json else console.write_indented(found)


async def _trace(named: str, wait: float) -> dict[str, Any]:
    settings = console.settings()
    async with Database(settings.postgres, max_size=1) as database:
        inspection = Inspection(database, console.workspace(settings))
        deadline = asyncio.get_running_loop().time() + wait
        while (ticket := await inspection.find_ticket(named)) is None:
            if asyncio.get_running_loop().time() > deadline:
                raise Refused("not_found", f"{named}: no ticket or message of that id or number (yet)")
            await asyncio.sleep(0.2)
        stored = [row async for row in inspection.tickets(ticket=ticket)]
        messages = await inspection.rows("messages_of_ticket", ticket=ticket)
        trail = await inspection.rows("trail", ticket=ticket)
    for row in messages:
        row["payload"] = msgspec.json.decode(row["payload"])
    for row in trail:
        row["detail"] = msgspec.json.decode(row["detail"])
    return {"ticket": console.spelled_out(stored[0].ticket), "messages": messages, "trail": trail}


def verify(json: Json = False) -> None:
    """The equation: accepted = stored + duplicates + parked + suppressed. Exit code 1 when the residual is not 0."""
    ledger = asyncio.run(_verify())
    row = msgspec.to_builtins(ledger)
    if json:
        console.write_json(row)
    else:
        for name in ("accepted", "stored", "duplicates", "parked", "suppressed", "pending", "residual"):
            console.output.print(f"{name:<12}{row[name]:>12}")
    raise typer.Exit(1 if ledger.residual else 0)


async def _verify() -> Any:
    settings = console.settings()
    async with Database(settings.postgres_system, max_size=1) as database:
        return await verify_ledger(settings, database, partial(pending, settings.spool))
