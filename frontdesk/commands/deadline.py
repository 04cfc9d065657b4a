"""`deadline`: when something is due, and the working time that leads there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
import typer

from contracts.calendars import NeverOpen, WorkingHours
from contracts.errors import Poison, Refused
from contracts.workspace import Calendar
from frontdesk import console
from router.deadlines import before, due
from sinks.config_files import load_folder

_Intervals = tuple[tuple[str, str], ...]


def register(app: typer.Typer) -> None:
    app.command()(deadline)


def deadline(
    calendar: Annotated[str | None, typer.Option(help="id of a calendar of the configuration")] = None,
    start: Annotated[
        datetime | None,
        typer.Option(help="ISO instant with offset", formats=["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"]),
    ] = None,
    target: Annotated[int | None, typer.Option(help="minutes of working time")] = None,
    config: Annotated[Path, typer.Option(exists=True, file_okay=False)] = Path("deploy/config/demo"),
    cases: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="questions with calendars of their own, as JSON lines"
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON value a line")] = False,
) -> None:
    """A deadline with the working time that leads to it. With --cases: one line `{"id": …, "result": …}` a question."""
    if cases is not None:
        for row in _answers(cases):
            console.write_json(row)
        return
    if calendar is None or start is None or target is None:
        raise Refused("missing_option", "give --calendar, --start and --target, or --cases")
    result = due(start, target * 60, _hours(config, calendar))
    if json:
        console.write_json(result)
        return
    console.output.print(f"due {_shown(result.due_at, start)}", highlight=False)
    for segment in result.segments:
        line = f"  {_shown(segment.start, start)} … {_shown(segment.end, start)}"
        console.output.print(line, highlight=False)


def _hours(config: Path, calendar: str) -> WorkingHours:
    found = {c.id: c for c in load_folder(config).calendars}
    if calendar not in found:
        raise Refused("unknown_calendar", f"{calendar!r}; known are {', '.join(sorted(found))}")
    return WorkingHours(found[calendar])


def _shown(instant: datetime, start: datetime) -> str:
    """In the time zone that the question was asked in."""
    return instant.astimezone(start.tzinfo).isoformat()


class _Case(msgspec.Struct):
    """A question in the form of the corpus: a calendar, an instant and, by `op`, `seconds` or `end`. Instants are ISO 8601; one
    without an offset is the calendar's local time."""

    id: str
    op: Literal["add", "sub", "between", "is_open", "next_open"]
    tz: str
    hours: dict[str, _Intervals]
    start: str
    holidays: tuple[str, ...] = ()
    overrides: dict[str, _Intervals] = {}
    breaks: dict[str, _Intervals] = {}
    seconds: float = 0
    end: str | None = None


def _answers(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            case = msgspec.json.decode(line, type=_Case)
        except msgspec.DecodeError as error:
            raise Poison("undecodable", f"line {number}: {error}") from None
        try:
            yield {"id": case.id, "result": _answer(case)}
        except NeverOpen:
            yield {"id": case.id, "result": "error"}
        except (KeyError, ValueError) as error:
            raise Poison("undecodable", f"line {number}: {error}") from None


def _answer(case: _Case) -> datetime | float | bool:
    """An instant in UTC, seconds, or whether it is open."""
    hours = WorkingHours(
        Calendar(
            id=case.id,
            zone=case.tz,
            hours=case.hours,
            holidays=case.holidays,
            overrides=case.overrides,
            breaks=case.breaks,
        )
    )
    start = _instant(case.start, case)
    match case.op:
        case "add":
            return due(start, case.seconds, hours).due_at
        case "sub":
            return before(start, case.seconds, hours)
        case "between":
            if case.end is None:
                raise Poison("undecodable", f"{case.id}: `between` needs `end`")
            return hours.between(start, _instant(case.end, case)).total_seconds()
        case "is_open":
            return hours.is_open(start)
        case "next_open":
            return hours.next_open(start).astimezone(UTC)


def _instant(text: str, case: _Case) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(case.tz))
