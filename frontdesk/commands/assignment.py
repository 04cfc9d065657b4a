"""`assignment`: who would get the next ticket, for sequences in the form of the corpus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from contracts.errors import Poison
from frontdesk import console
from router.assign import Candidates, choose


def register(app: typer.Typer) -> None:
    app.command()(assignment)


class _Call(msgspec.Struct):
    allowed: tuple[str, ...]


class _Case(msgspec.Struct):
    """`queue`: the agents in the order of their turns; `calls`: who may take a ticket, for each that comes. Rows without
    `calls` are rules in words."""

    id: str
    queue: tuple[str, ...] = ()
    calls: tuple[_Call, ...] | None = None


def assignment(
    cases: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="a corpus of turns, as JSON lines")
    ],
) -> None:
    """Who gets the next tickets in turn: one line `{"id": …, "result": {"agents": […], "queue_after": […]}}` a case."""
    for row in _rows(cases):
        console.write_json(row)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            case = msgspec.json.decode(line, type=_Case)
        except msgspec.DecodeError as error:
            raise Poison("undecodable", f"line {number}: {error}") from None
        if case.calls is not None:
            yield {"id": case.id, "result": _result(case.queue, case.calls)}


def _result(queue: tuple[str, ...], calls: tuple[_Call, ...]) -> dict[str, Any]:
    turns, agents = queue, list[str | None]()
    for call in calls:
        allowed = tuple(agent for agent in queue if agent in call.allowed)
        choice = choose("round_robin", queue, Candidates(allowed, {}), turns)
        agents.append(choice.agent)
        turns = choice.turns.after if choice.turns else turns
    return {"agents": agents, "queue_after": list(turns)}
