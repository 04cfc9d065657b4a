"""Header damage of real mail, and addresses that are not what they seem."""

from __future__ import annotations

import pytest

from ingest.mail.headers import Address, addresses, parameters, split, text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"=?utf-8?Q?caf=C3?= =?utf-8?Q?=A9?=", "café"),
        (b"=?utf-8?B?0J/RgNC40LLQtdGC?=", "Привет"),
        (b"=?iso-8859-1?Q?=80_5?= net", "€ 5 net"),
        (b"=?gb2312?B?1tDOxA==?=", "中文"),
        (b"=?x-nonsense?Q?ok?=", "ok"),
        ("Grüße".encode(), "Grüße"),
        ("Grüße".encode("latin-1"), "Grüße"),
        (b"=?utf-8?B?broken", "=?utf-8?B?broken"),
    ],
)
def test_text(raw: bytes, expected: str) -> None:
    assert text(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"Ann Lee <ann@example.org>", [Address("Ann Lee", "ann@example.org")]),
        (
            b'"Lee, Ann" <ann@example.org>, bob@example.org',
            [Address("Lee, Ann", "ann@example.org"), Address("", "bob@example.org")],
        ),
        (b"ann@example.org (Ann Lee)", [Address("Ann Lee", "ann@example.org")]),
        (
            b"team: ann@example.org, bob@example.org;",
            [Address("", "ann@example.org"), Address("", "bob@example.org")],
        ),
        (b'"victim@bank.example" <eve@evil.example>', [Address("victim@bank.example", "eve@evil.example")]),
        (b"=?utf-8?Q?Lee=2C_Ann?= <ann@example.org>", [Address("Lee, Ann", "ann@example.org")]),
        (b"undisclosed-recipients:;", []),
        (b"nobody", [Address("nobody", "")]),
    ],
)
def test_addresses(raw: bytes, expected: list[Address]) -> None:
    assert addresses(raw) == (expected, False)


def test_parameters_join_and_decode_sections() -> None:
    kind, params = parameters(b"Application/PDF; name*0*=iso-8859-1''%E4; name*1=b.pdf; x=\"a;b\"")
    assert (kind, params) == ("application/pdf", {"name": "äb.pdf", "x": "a;b"})


def test_lines_that_are_no_field_are_left_out() -> None:
    found = split(b"From ann Mon Jan 5\nA: 1\n  2\nnonsense\nB : 3")
    assert found.fields == (("a", b"1  2"), ("b", b"3"))
