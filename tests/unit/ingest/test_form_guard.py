"""Whom a form's door suspects: bots are held, people among them are not, and memory stays flat."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from contracts.workspace import Account, Workspace
from ingest import form_token
from ingest.form_guard import LEAST_TIME, PER_ADDRESS, PER_EMAIL, Buckets, FormGuard, Rate, Sent

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
SHOP = Workspace(slug="shop", name="Shop")
FORM = Account(channel="webform", id="contact")
SECOND = timedelta(seconds=1)


def sent(
    address: str = "203.0.113.7",
    email: str = "",
    age: timedelta | None = LEAST_TIME,
    at: datetime = NOON,
    direct: int = 60,
) -> Sent:
    shown = None if age is None else at - age
    return Sent(form="shop:contact", address=address, email=email, shown=shown, direct=direct)


def guard() -> FormGuard:
    return FormGuard("127.0.0.1,10.1.0.0/16,::1")


def test_who_is_faster_than_a_person_is_held_and_counts_for_nothing() -> None:
    one = guard()
    for _ in range(100):
        assert one.suspicion(sent(age=LEAST_TIME - SECOND), NOON) == "too_fast"
    assert one.suspicion(sent(), NOON) is None


def test_an_address_has_a_burst_and_then_waits() -> None:
    one = guard()
    assert [one.suspicion(sent(), NOON) for _ in range(21)] == [None] * int(PER_ADDRESS.burst) + ["rate"]
    later = NOON + timedelta(seconds=1 / PER_ADDRESS.refill + 1)
    assert [one.suspicion(sent(at=later), later) for _ in range(2)] == [None, "rate"]
    assert one.suspicion(sent("203.0.113.8"), NOON) is None


def test_one_ipv6_network_is_one_sender() -> None:
    one = guard()
    found = [one.suspicion(sent(f"2001:db8:0:1::{n:x}"), NOON) for n in range(1, 30)]
    assert found.count(None) == PER_ADDRESS.burst
    assert one.suspicion(sent("2001:db8:0:2::1"), NOON) is None


def test_an_email_has_a_burst_wherever_it_comes_from() -> None:
    one = guard()
    found = [one.suspicion(sent(f"203.0.113.{n}", email="Ann@example.com"), NOON) for n in range(20)]
    assert found.count(None) == PER_EMAIL.burst


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.1.2.3", ""])
def test_our_own_machines_are_not_counted(address: str) -> None:
    one = guard()
    assert {one.suspicion(sent(address, "ann@example.com", age=None), NOON) for _ in range(500)} == {None}


def test_what_comes_without_our_page_shares_a_limit_that_people_do_not() -> None:
    one = guard()
    direct = [one.suspicion(sent(f"198.51.{n // 250}.{n % 250}", age=None), NOON) for n in range(500)]
    assert direct.count(None) == 60
    assert one.suspicion(sent(), NOON) is None


def test_a_level_never_rises_above_its_burst_and_time_never_runs_back() -> None:
    buckets, rate = Buckets(), Rate(burst=2, refill=1)
    assert [buckets.take("a", rate, now) for now in (0, 0, 0, 1000, 1000, 1000, 5)] == [
        *(True, True, False),
        *(True, True, False),
        False,
    ]


def test_senders_not_seen_for_long_are_forgotten() -> None:
    buckets = Buckets(remembered=100)
    for number in range(10_000):
        buckets.take(str(number), PER_ADDRESS, number)
    assert len(buckets) == 100


@pytest.mark.parametrize("direct", [0, 60])
def test_ten_thousand_bots_are_held_beyond_the_limit_and_no_person_among_them_is(direct: int) -> None:
    one = FormGuard("")
    bots = random.Random(5)
    passed, people = 0, []
    for number, at in enumerate(moments(10_000, timedelta(minutes=10))):
        if number % 100 == 0:
            # Half of the people share an office's address with each other, and all of them the form with the bots.
            address = "192.0.2.1" if number % 1000 == 0 else f"192.0.2.{2 + number // 100}"
            shown = timedelta(seconds=bots.randrange(20, 600))
            people.append(one.suspicion(sent(address, f"person{number}@example.com", shown, at), at))
        address = f"198.51.{bots.randrange(100)}.{bots.randrange(250)}"
        age = bots.choice([None, SECOND])
        passed += one.suspicion(sent(address, f"bot{number}@example.com", age, at, direct), at) is None
    assert people == [None] * 100
    # The burst, and what comes back in ten minutes.
    assert passed <= direct + direct * 10


def moments(count: int, within: timedelta) -> Iterator[datetime]:
    yield from (NOON + within * number / count for number in range(count))


def test_a_token_tells_when_its_form_was_shown() -> None:
    token = form_token.mint("new", SHOP, FORM, NOON)
    assert form_token.shown_at(["new"], SHOP, FORM, token) == NOON
    assert form_token.shown_at(["newer", "new"], SHOP, FORM, token) == NOON
    assert token != form_token.mint("new", SHOP, FORM, NOON)


def test_a_token_of_another_key_form_or_hand_is_none_of_ours() -> None:
    token = form_token.mint("key", SHOP, FORM, NOON)
    later = token.replace(token.partition(".")[0], str(int(NOON.timestamp()) - 100))
    assert form_token.shown_at(["other"], SHOP, FORM, token) is None
    assert form_token.shown_at(["key"], SHOP, Account(channel="webform", id="b"), token) is None
    for forged in (later, token[:-1], token + "x", "", ".", "..", "1.2.ż", "x" * 1000, "a.b.c"):
        assert form_token.shown_at(["key"], SHOP, FORM, forged) is None
