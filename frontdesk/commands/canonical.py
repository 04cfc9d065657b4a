"""`canonical`: the form in which handles are compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from contracts.errors import Poison
from contracts.inbound import HANDLE_KINDS
from frontdesk import console
from identity.aliases import suggestion_key
from identity.canonical import canonical as canonical_value
from identity.shared import identifies


def register(app: typer.Typer) -> None:
    app.command()(canonical)


def canonical(
    kind: Annotated[str, typer.Argument(help=", ".join(HANDLE_KINDS))],
    values: Annotated[list[str] | None, typer.Argument()] = None,
    region: Annotated[str | None, typer.Option(help="ISO 3166 country of the account, for phones")] = None,
    cases: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="a corpus of addresses or numbers, as JSON lines"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON value a line")] = False,
) -> None:
    """The form in which handles are compared; null for what is no handle. One JSON line a case of `--cases`."""
    if (cases is None) == (not values) or kind not in HANDLE_KINDS:
        raise typer.BadParameter("a kind of handle, and either values or --cases")
    for row in _corpus(kind, cases) if cases else ():
        console.write_json(row)
    for value in values or ():
        row = {"kind": kind, "value": value} | _row(kind, value, region)
        if json:
            console.write_json(row)
        else:
            console.output.print(row["canonical"] or "-", highlight=False)


def _corpus(kind: str, path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            case = msgspec.json.decode(line)
            yield {"id": case["id"]} | _case(kind, case)
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise Poison("undecodable", f"line {number}: {error}") from None


def _case(kind: str, case: dict[str, Any]) -> dict[str, Any]:
    """One value, or for `match` whether two numbers are of one line."""
    if "a" in case:
        pair = {end: canonical_value(kind, case[end]) for end in ("a", "b")}
        valid = None not in pair.values()
        return {"valid": valid, "canonical": pair, "same": valid and pair["a"] == pair["b"]}
    row = _row(kind, case["email" if kind == "email" else "raw"], case.get("default_region"))
    if kind == "phone" and row["canonical"]:
        # Numbers are compared with their extension; E.164, which cases ask for, has no place for it.
        row["canonical"], _, extension = row["canonical"].partition(";ext=")
        row["extension"] = extension or None
    return row


def _row(kind: str, value: str, region: str | None) -> dict[str, Any]:
    """`identifies`: whether it can say who somebody is; shared and made-up handles do not."""
    found = canonical_value(kind, value, region)
    row = {
        "valid": found is not None,
        "canonical": found,
        "identifies": bool(found and identifies(kind, found)),
    }
    return row | {"suggestion_key": suggestion_key(value)} if kind == "email" else row
