"""Cases of addresses and numbers in, one line each out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from frontdesk.cli import app


def answers(kind: str, folder: Path, *cases: dict[str, Any]) -> list[dict[str, Any]]:
    listing = folder / "cases.jsonl"
    listing.write_text("".join(json.dumps({"id": str(n)} | case) + "\n" for n, case in enumerate(cases)))
    ended = CliRunner().invoke(app(), ["canonical", kind, "--cases", str(listing)])
    assert ended.exit_code == 0, ended.output
    return [json.loads(line) for line in ended.stdout.splitlines()]


def test_a_number_is_shown_as_e164_with_its_extension_apart(tmp_path: Path) -> None:
    with_extension, short, vanity = answers(
        "phone",
        tmp_path,
        {"raw": "03 331 6005 ext. 3456", "default_region": "NZ"},
        {"raw": "112", "default_region": "DE"},
        {"raw": "1-800-FLOWERS", "default_region": "US"},
    )
    assert (with_extension["canonical"], with_extension["extension"]) == ("+6433316005", "3456")
    assert (short["valid"], short["canonical"]) == (False, None)
    assert (vanity["canonical"], vanity["extension"]) == ("+18003569377", None)


def test_two_extensions_of_one_switchboard_are_two_lines(tmp_path: Path) -> None:
    same, other = answers(
        "phone",
        tmp_path,
        {"a": "+64 3 331-6005 extn 1234", "b": "+6433316005#1234"},
        {"a": "+64 3 331-6005 extn 1234", "b": "+64 3 331-6005"},
    )
    assert (same["same"], other["same"]) == (True, False)


def test_an_address_has_a_form_to_compare_and_a_key_to_suggest_by(tmp_path: Path) -> None:
    alias, quoted, literal, comment = answers(
        "email",
        tmp_path,
        {"email": "A.B+x@GoogleMail.com"},
        {"email": '"much more unusual"@example.com'},
        {"email": "a@[IPv6:2001:db8::1]"},
        {"email": "a(comment)@example.com"},
    )
    assert (alias["canonical"], alias["suggestion_key"]) == ("a.b+x@googlemail.com", "ab@gmail.com")
    assert quoted["valid"]
    assert (literal["valid"], comment["valid"]) == (False, False)
