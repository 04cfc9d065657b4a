"""`replay`, `backtest`: decisions of the past, made again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import msgspec
import typer
from rich.progress import Progress

from contracts.base import decoder, encode
from contracts.errors import Refused
from contracts.ids import workspace_id
from contracts.inbound import InboundMessage
from contracts.resolved import CustomerLink, Position, ResolvedMessage
from frontdesk import console
from router.backtest import Report
from router.replay import again
from router.ruleset import RuleSet
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.config_files import load_folder, version
from sinks.postgres.decision_history import Decided, DecisionHistory
from sinks.postgres.inspection import Inspection

Json = Annotated[bool, typer.Option("--json", help="one JSON value a line")]
Days = Annotated[float, typer.Option(min=0.01, help="how far back")]

MOST = 0.2
"""A rule set that would change a larger share of the decisions wants a second look."""

_messages = decoder(InboundMessage)


def register(app: typer.Typer) -> None:
    for command in (replay, backtest):
        app.command()(command)


def replay(
    named: Annotated[str | None, typer.Argument(help="ticket number, id, or receipt")] = None,
    since: Annotated[datetime | None, typer.Option(help="UTC; all decisions from then on")] = None,
    until: Annotated[datetime | None, typer.Option(help="UTC; before then")] = None,
    json: Json = False,
) -> None:
    """Decides again from recorded inputs, and compares the bytes: of one ticket, or of a span of time. Exit code 1 if any
    differ."""
    if (named is None) == (since is None):
        raise typer.BadParameter("name a ticket, or give --since")
    compared = asyncio.run(_replay(named, since, until))
    same, different = compared.same, len(compared.different)
    for row, made in compared.different:
        shown = {"message": row.message, "number": row.number, "same": False}
        shown |= {"recorded": msgspec.Raw(row.record), "again": msgspec.Raw(made)}
        console.write_json(shown) if json else console.output.print(
            f"{row.number} {row.message} differs:\n{row.record!r}\n{made!r}", markup=False
        )
    if json:
        console.write_json({"same": same, "different": different})
    else:
        console.output.print(f"{same} decisions are the same, byte for byte; {different} differ")
    raise typer.Exit(1 if different else 0)


def backtest(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False)],
    days: Days = 7,
    most: Annotated[float, typer.Option(min=0, max=1, help="the share that may change")] = MOST,
    json: Json = False,
) -> None:
    """What a proposed configuration would have decided. Nothing is stored. Exit code 1 if more than the share would change."""
    proposed = load_folder(folder)
    report = asyncio.run(_backtest(RuleSet(proposed, version(proposed)), workspace_id(proposed.slug), days))
    console.write_json(report.as_json()) if json else show(report)
    raise typer.Exit(1 if report.share > most else 0)


async def _backtest(rules: RuleSet, workspace: UUID, days: float) -> Report:
    settings = console.settings()
    async with Database(settings.postgres, max_size=1) as database:
        return await back_test(database, workspace, rules, days, Clock(settings.clock).now())


async def back_test(
    database: Database, workspace: UUID, rules: RuleSet, days: float, now: datetime
) -> Report:
    """The report on the last `days`, by the workspace's own history."""
    report, history = Report(), DecisionHistory(database, workspace)
    async with _progress("back-test", history, now - timedelta(days=days), now) as pages:
        async for page in pages:
            for row in page:
                recorded = msgspec.json.decode(row.record)
                made = msgspec.json.decode(encode(decided_again(row, recorded, rules)))
                report.add(row.number, str(row.message), recorded, made, row.answered, now)
    return report


def show(report: Report) -> None:
    """A report for people."""
    say = console.output.print
    say(f"{report.changed} of {report.decisions} decisions would change ({report.share:.1%})")
    console.write_table(("target", "changes"), report.by_target.most_common())
    if report.moves:
        console.write_table(("department", "tickets"), report.moves.most_common())
    delta = report.breaches_after - report.breaches_before
    say(f"missed first answers: {report.breaches_before} -> {report.breaches_after} ({delta:+d})")
    rows = (
        (seen.number, target, before, after, ", ".join(seen.rules))
        for seen in report.examples
        for target, (before, after) in seen.changed.items()
    )
    if report.examples:
        console.write_table(("ticket", "target", "before", "after", "rules"), rows)


async def _replay(named: str | None, since: datetime | None, until: datetime | None) -> Comparison:
    settings = console.settings()
    workspace = workspace_id(settings.workspaces[0])
    async with Database(settings.postgres, max_size=1) as database:
        history = DecisionHistory(database, workspace)
        compared = Comparison(history)
        if named is not None:
            ticket = await Inspection(database, workspace).find_ticket(named)
            if ticket is None:
                raise Refused("not_found", f"{named}: no ticket or message of that id or number")
            await compared.add(await history.of_ticket(ticket))
            return compared
        begin, end = (utc(at) if at else Clock(settings.clock).now() for at in (since, until))
        async with _progress("replay", history, begin, end) as pages:
            async for page in pages:
                await compared.add(page)
    return compared


class Comparison:
    """Recorded decisions against what comes out now."""

    def __init__(self, history: DecisionHistory) -> None:
        self._history = history
        self._compiled: dict[str, RuleSet] = {}
        self.same = 0
        self.different: list[tuple[Decided, bytes]] = []
        """With the bytes that come out."""

    async def add(self, page: Sequence[Decided]) -> None:
        for row in page:
            rules = self._compiled.get(row.rule_set) or await self._compile(row.rule_set)
            made = encode(decided_again(row, msgspec.json.decode(row.record), rules))
            if made == row.record:
                self.same += 1
            else:
                self.different.append((row, made))

    async def _compile(self, wanted: str) -> RuleSet:
        config = await self._history.configuration(wanted)
        if config is None:
            raise Refused("no_configuration", f"version {wanted} is not stored")
        return self._compiled.setdefault(wanted, RuleSet(config, wanted))


def decided_again(row: Decided, recorded: dict[str, Any], rules: RuleSet) -> dict[str, Any]:
    """The record that these rules make of the same message and the recorded facts."""
    message = _messages.decode(row.payload)
    link = CustomerLink(
        id=row.customer, trust=recorded["customer"]["trust"], matched_by=recorded["customer"]["matched_by"]
    )
    resolved = ResolvedMessage(
        workspace=message.workspace,
        message_id=message.message_id,
        position=Position(topic="replay", partition=0, offset=0),
        inbound=msgspec.Raw(row.payload),
        customer=link,
    )
    return again(recorded, resolved, message, rules)


def utc(at: datetime) -> datetime:
    """A time without a zone is UTC."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


@asynccontextmanager
async def _progress(
    what: str, history: DecisionHistory, since: datetime, until: datetime
) -> AsyncIterator[AsyncIterator[list[Decided]]]:
    """The pages of a span, with a bar on a terminal."""
    total = await history.count(since, until)

    async def pages() -> AsyncIterator[list[Decided]]:
        async for page in history.between(since, until):
            yield page
            bar.advance(task, len(page))

    with Progress(console=console.errors, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield pages()
