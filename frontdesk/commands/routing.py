"""`decide`, `explain`, `replay`: decisions without side effects."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer

from contracts.base import decoder, encode
from contracts.errors import Poison, Refused
from contracts.ids import workspace_id
from contracts.inbound import InboundMessage
from contracts.resolved import CustomerLink, Position, ResolvedMessage
from contracts.ticket import Ticket
from frontdesk import console
from identity.evidence import observations
from identity.facts import Facts as IdentityFacts
from identity.moves import resolve
from identity.shared import own_handles
from router.decide import assign, carried, place
from router.facts import Facts, Plan, Staff, is_routed
from router.replay import again
from router.ruleset import RuleSet
from runtime.postgres import Database
from sinks.config_files import load_folder, version
from sinks.postgres.inspection import Inspection

Json = Annotated[bool, typer.Option("--json", help="one JSON value a line")]


def register(app: typer.Typer) -> None:
    for command in (decide, explain, replay):
        app.command()(command)


def decide(
    file: Annotated[Path, typer.Argument(exists=True, help="JSON lines of InboundMessage")],
    config: Annotated[Path, typer.Option(exists=True, file_okay=False, help="configuration folder")],
) -> None:
    """Identity and routing of a file of messages, on empty tables: one decision record a line. Nothing is stored."""
    workspace = load_folder(config)
    rules = RuleSet(workspace, version(workspace))
    people, facts, staff, own = IdentityFacts(), Facts(), Staff(), own_handles(workspace)
    latest: dict[UUID, Plan] = {}
    read = decoder(InboundMessage)
    for number, line in enumerate(file.read_bytes().splitlines()):
        try:
            message = read.decode(line)
        except msgspec.MsgspecError as error:
            raise Poison("undecodable", f"line {number + 1}: {error}") from None
        account = rules.account(message.channel, message.account)
        shown = observations(message, account.region if account else None, own)
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
            facts.after(placement)
            decided = latest[placement.ticket.id] = carried(assign(placement, staff, rules), latest)
            staff.after(decided, message.received_at)
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


def replay(
    named: Annotated[str, typer.Argument(help="ticket number, id, or receipt")], json: Json = False
) -> None:
    """Decides the opening of a ticket again from its recorded inputs, and compares the bytes. Exit code 1 if they differ."""
    recorded, again = asyncio.run(_replay(named))
    same = recorded == again
    if json:
        console.write_json({"same": same, "recorded": msgspec.Raw(recorded), "again": msgspec.Raw(again)})
    else:
        console.output.print(
            "the same decision, byte for byte" if same else f"differs:\n{recorded!r}\n{again!r}"
        )
    raise typer.Exit(0 if same else 1)


async def _replay(named: str) -> tuple[bytes, bytes]:
    from sinks.postgres.config_store import ConfigStore

    settings = console.settings()
    workspace = workspace_id(settings.workspaces[0])
    async with Database(settings.postgres, max_size=1) as database:
        inspection = Inspection(database, workspace)
        ticket_id = await inspection.find_ticket(named)
        if ticket_id is None:
            raise Refused("not_found", f"{named}: no ticket or message of that id or number")
        decision = (await inspection.rows("decisions_of_ticket", ticket=ticket_id))[0]
        message = (await inspection.rows("message", id=decision["message_id"]))[0]
        ticket = (await anext(inspection.tickets(ticket=ticket_id))).ticket
        config = await ConfigStore(database).version(workspace, decision["rule_set"])
    if config is None:
        raise Refused("no_configuration", f"version {decision['rule_set']} is not stored")
    record = decision["record"].encode()
    return record, encode(
        _decided_again(record, message["payload"].encode(), ticket, RuleSet(config, decision["rule_set"]))
    )


def _decided_again(record: bytes, payload: bytes, ticket: Ticket, rules: RuleSet) -> dict[str, Any]:
    """The opening decision from the message and the facts that the record holds."""
    recorded = msgspec.json.decode(record)
    message = decoder(InboundMessage).decode(payload)
    customer = recorded.get("customer", {})
    link = CustomerLink(
        id=ticket.customer, trust=customer.get("trust", "none"), matched_by=customer.get("matched_by")
    )
    resolved = msgspec.structs.replace(
        _resolved(message, payload, 0, ticket.customer, link.trust, False), customer=link
    )
    return again(recorded, resolved, message, rules)
