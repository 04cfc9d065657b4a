"""`decide`, `explain`: decisions without side effects."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from contracts.base import decoder
from contracts.errors import Poison, Refused
from contracts.inbound import InboundMessage
from contracts.resolved import CustomerLink, Position, ResolvedMessage
from frontdesk import console
from identity.evidence import observations
from identity.facts import Facts as IdentityFacts
from identity.moves import resolve
from identity.shared import shared_handles
from router.decide import place, settle
from router.facts import Facts, Staff, is_routed
from router.ruleset import RuleSet
from runtime.postgres import Database
from sinks.config_files import load_folder, version
from sinks.postgres.inspection import Inspection

Json = Annotated[bool, typer.Option("--json", help="one JSON value a line")]


def register(app: typer.Typer) -> None:
    for command in (decide, explain):
        app.command()(command)


def decide(
    file: Annotated[Path, typer.Argument(exists=True, help="JSON lines of InboundMessage")],
    config: Annotated[Path, typer.Option(exists=True, file_okay=False, help="configuration folder")],
) -> None:
    """Identity and routing of a file of messages, on empty tables: one decision record a line. Nothing is stored."""
    workspace = load_folder(config)
    rules = RuleSet(workspace, version(workspace))
    people, facts, staff, shared = IdentityFacts(), Facts(), Staff(), shared_handles(workspace)
    read = decoder(InboundMessage)
    for number, line in enumerate(file.read_bytes().splitlines()):
        try:
            message = read.decode(line)
        except msgspec.MsgspecError as error:
            raise Poison("undecodable", f"line {number + 1}: {error}") from None
        account = rules.account(message.channel, message.account)
        shown = observations(message, account.region if account else None, shared)
        plan = resolve(message, shown, people, account.claimed if account else "attach")
        people.after(plan)
        row: dict[str, Any] = {
            "message_id": message.message_id,
            "kind": message.kind,
            "customer": plan.customer,
        }
        if is_routed(message):
            resolved = _resolved(message, line, number, plan.customer, plan.trust, plan.is_new)
            placement = place(resolved, message, facts, rules, message.received_at)
            decided = settle(placement, facts, staff, rules, message.received_at)
            row |= {"ticket": decided.ticket, "record": decided.record}
        console.write_json(row)


def _resolved(
    message: InboundMessage, line: bytes, number: int, customer: Any, trust: Any, new: bool
) -> ResolvedMessage:
    return ResolvedMessage(
        workspace=message.workspace,
        message_id=message.message_id,
        position=Position(topic="file", partition=0, offset=number),
        inbound=msgspec.Raw(line),
        customer=CustomerLink(id=customer, trust=trust, is_new=new),
    )


def explain(
    named: Annotated[str, typer.Argument(help="ticket number, id, or receipt")], json: Json = False
) -> None:
    """Why a ticket is where it is: its decision records, oldest first."""
    for row in asyncio.run(_decisions(named)):
        row["record"] = msgspec.json.decode(row["record"])
        console.write_json(row) if json else console.write_indented(row)


async def _decisions(named: str) -> Sequence[dict[str, Any]]:
    settings = console.settings()
    async with Database(settings.postgres, max_size=1) as database:
        inspection = Inspection(database, console.workspace(settings))
        ticket = await inspection.find_ticket(named)
        if ticket is None:
            raise Refused("not_found", f"{named}: no ticket or message of that id or number")
        return await inspection.rows("decisions_of_ticket", ticket=ticket)
