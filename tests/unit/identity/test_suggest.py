"""Who is suggested as the same person, and who is not."""

from __future__ import annotations

import pytest

from contracts.inbound import Sender
from identity.suggest import blocks, compare, profile
from identity.traits import traits
from tests.support.identity import Registry, shown
from tests.support.routing import message

ANN = [("name", "Ann Nováková"), ("email", "ann.novakova@gmail.com"), ("phone", "+420601100200")]


@pytest.mark.parametrize(
    ("other", "signal"),
    [
        ([("name", "Novakova, Ann"), ("email", "annnovakova@gmail.com")], "alias_of_email"),
        ([("email", "ann.novakova@googlemail.com")], "alias_of_email"),
        ([("name", "ann novakova"), ("email", "ann.novakova@gmial.com")], "similar_email"),
        ([("name", "A. Novakova"), ("phone", "+421601100200")], "same_national_number"),
        ([("phone", "+420601100200")], "same_phone"),
        ([("email", "ann.novakova@gmail.com")], "same_email"),
    ],
)
def test_who_is_suggested(other: list[tuple[str, str]], signal: str) -> None:
    one, second = profile(ANN), profile(other)
    likeness = compare(one, second)
    assert set(blocks(one)) & set(blocks(second)), "they are compared"
    assert signal in {found.name for found in likeness.signals}
    assert likeness.suffices
    assert compare(second, one).score == likeness.score


@pytest.mark.parametrize(
    "other",
    [
        [("name", "Ann Nováková")],
        [("name", "Ann Nováková"), ("place", "Praha")],
        [("name", "Ann Nováková"), ("email", "xyz@seznam.example")],
        [("name", "Jan Dvořák"), ("birth_date", "1980-01-02")],
        [],
    ],
)
def test_who_is_not(other: list[tuple[str, str]]) -> None:
    one = profile([*ANN, ("place", "Praha"), ("birth_date", "1980-07-09")])
    assert not compare(one, profile(other)).suffices


def test_the_same_order_suffices_whatever_the_names() -> None:
    one, other = profile([("order", "#1042"), ("name", "Ann")]), profile([("order", "1042")])
    assert set(blocks(one)) & set(blocks(other)) == {"order:1042"}
    assert compare(one, other).suffices


def test_a_message_says_what_it_says_of_whom_it_proves() -> None:
    registry = Registry()
    fields = {"order_number": "1042", "city": "Praha", "subject": "x"}
    sender = shown("one", ("email", "ann@x.example", "verified")).sender
    named = message("one", sender=Sender(handles=sender.handles, display_name="Ann N."), fields=fields)
    plan = registry.take(named)
    found = {(row.kind, row.value) for row in traits(plan) if row.kind != "block"}
    assert found == {("name", "ann n"), ("order", "1042"), ("place", "praha")}
    assert {row.customer for row in traits(plan)} == {plan.customer}
    typed = shown("two", ("email", "ann@x.example", "claimed"), fields={"order_number": "666"})
    assert list(traits(registry.take(typed))) == [], "a claim says nothing about who is there"
