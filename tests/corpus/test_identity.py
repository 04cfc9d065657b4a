"""The corpora of addresses and telephone numbers: what is one, and which spellings are the same."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import idna
import pytest

from tests.support.command import frontdesk

CORPUS = Path(__file__).parents[2] / "../shared/corpus"

Row = Mapping[str, Any]
Judge = Callable[[Row, Row], bool]

# What the sources want and we do not, with the reason. A case that is not wrong any more must leave the list.
ARGUED = {
    # Two tests of one library contradict each other: it takes a display name on request. Channels take it off.
    "MyName <me@example.org>": "a header, not an address",
    "My Name <me@example.org>": "a header, not an address",
    '"My.\\"Na\\\\me\\".Is" <"me \\" \\\\ me"@example.org>': "a header, not an address",
    # The caller told the library to fold less. Our key only suggests, so it always folds.
    "foo+bar@live.fr, outlookdotcom_remove_subaddress": "asked to keep the tag",
    "foo+bar@hotmail.co.uk, outlookdotcom_remove_subaddress": "asked to keep the tag",
    "SOME.name+me@googlemail.com, gmail_convert_googlemaildotcom": "asked to keep the domain",
    "SOME.name+me@googlemail.COM, gmail_convert_googlemaildotcom": "asked to keep the domain",
    "SOME.name+me@googlEmail.com, gmail_convert_googlemaildotcom": "asked to keep the domain",
    "test@yandex.kz, yandex_convert_yandexru": "asked to keep the domain",
    "test@yandex.ua, yandex_convert_yandexru": "asked to keep the domain",
    # Parsed by the library, and called invalid by it: nobody can be called there (trust model, I13).
    "tel:253-0000;isub=12345;phone-context=www.google.com": "no area code",
    "tel:2530000;isub=12345;phone-context=1234.com": "no area code",
    "1800 six-flags": "a digit too many, as a word on a poster",
    "1800 SIX FLAGS": "a digit too many, as a word on a poster",
    "0~0 1800 7493 5247": "a digit too many",
    "(1800) 7493.5247": "a digit too many",
}


def _same(found: str | None, wanted: str | None) -> bool:
    """Local parts compare without ASCII case and domains as A-labels (trust model, I13): the sources keep case where their
    caller asks for it, and write domains in letters."""
    if found is None or wanted is None:
        return found == wanted
    local, _, domain = wanted.rpartition("@")
    return found == f"{local.lower()}@{idna.encode(domain.lower()).decode()}"


def _email(case: Row, row: Row) -> bool:
    if case["kind"] == "normalize":
        return _same(row["suggestion_key"], case["canonical"])
    if case["kind"] == "invalid":
        return not row["valid"] and row["canonical"] is None
    return row["valid"] and _same(row["canonical"], case.get("normalized", case["email"]))


def _phone(case: Row, row: Row) -> bool:
    if case["kind"] == "parse":
        return bool(row["canonical"] == case["e164"])
    if case["match"] == "NOT_A_NUMBER":
        return not row["valid"]
    return bool(row["same"] == (case["match"] == "EXACT_MATCH"))


def _named(case: Row) -> str:
    """As the list of argued differences names it: the value, and the options that fold less than ours."""
    less = [
        name
        for name, value in case.get("options", {}).items()
        if value is False and name.startswith(("outlookdotcom_remove", "gmail_convert", "yandex_convert"))
    ]
    return ", ".join([str(case.get("email") or case.get("raw") or case["id"]), *less])


@pytest.mark.parametrize(("kind", "judge"), [("email", _email), ("phone", _phone)])
async def test_one_spelling_of_a_handle(kind: str, judge: Judge) -> None:
    listing = CORPUS / f"identity-{kind}/cases.jsonl"
    if not listing.is_file():
        pytest.skip(f"the corpus identity-{kind} is not beside the repository")
    cases = [json.loads(line) for line in listing.read_text().splitlines()]
    ended = await frontdesk("canonical", kind, "--cases", str(listing))
    assert [row["id"] for row in ended.rows] == [case["id"] for case in cases], ended.errors
    wrong = [_named(case) for case, row in zip(cases, ended.rows, strict=True) if not judge(case, row)]
    new, argued = [name for name in wrong if name not in ARGUED], [name for name in wrong if name in ARGUED]
    print(f"{kind}: {len(cases) - len(wrong)} of {len(cases)}, argued: {len(argued)}, wrong: {new}")
    assert new == []
    assert len(argued) == {"email": 10, "phone": 6}[kind], argued
