"""A person has another telephone number, as WhatsApp says: the new one is theirs, and the old one nobody's."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from contracts.inbound import InboundMessage
from identity.decide import Link
from tests.support.identity import Registry, shown
from tests.support.routing import DAY, NOW

OLD, NEW = "+48601100200", "+48601100300"
NEW_MESSAGE = shown("new")
USER = ("whatsapp_user", "PL.777", "channel")


def writes(name: str, number: str, *others: tuple[Any, str, Any], **given: Any) -> InboundMessage:
    return shown(name, ("phone", number, "verified"), *others, **given)


def moves(name: str = "move", *others: tuple[Any, str, Any], old: str = OLD) -> InboundMessage:
    return shown(
        name, ("phone", old, "claimed"), *others, kind="system", fields={"new_number": NEW.removeprefix("+")}
    )


def written(links: tuple[Link, ...]) -> list[tuple[str, str]]:
    return [(link.action, link.observation.key[2]) for link in links if link.action != "seen"]


@pytest.mark.parametrize("others", [(), (USER,)])
def test_the_new_number_is_the_persons_and_the_old_one_is_not(others: tuple[Any, ...]) -> None:
    registry = Registry()
    before, moved = registry.take_all([writes("before", OLD, *others), moves("move", *others)])
    after = registry.take(writes("after", NEW))
    stranger = registry.take(writes("stranger", OLD, received_at=NOW + 90 * DAY))
    assert written(moved.links) == [("revoked", OLD), ("linked", NEW)]
    assert moved.customer == after.customer == before.customer
    assert stranger.is_new
    assert stranger.customer != before.customer
    assert stranger.generation == 1


def test_a_new_user_id_is_the_persons_and_the_old_one_is_not() -> None:
    registry, old, new = Registry(), "PL.777", "MX.888"
    news = shown("move", ("whatsapp_user", old, "claimed"), kind="system", fields={"new_user_id": new})
    before, moved = registry.take_all([writes("before", OLD, USER), news])
    after = registry.take(shown("after", ("whatsapp_user", new, "channel")))
    stranger = registry.take(shown("stranger", USER, received_at=NOW + 90 * DAY))
    assert written(moved.links) == [("revoked", old), ("linked", new)]
    assert moved.customer == after.customer == before.customer
    assert stranger.customer != before.customer


def test_the_account_finds_the_person_where_the_number_does_not() -> None:
    registry = Registry()
    before, moved = registry.take_all([shown("before", USER), moves("move", USER)])
    assert (moved.customer, written(moved.links)) == (before.customer, [("linked", NEW)])


def test_who_has_the_new_number_already_is_shown_and_not_joined() -> None:
    registry = Registry()
    before, early, moved = registry.take_all([writes("before", OLD), writes("early", NEW), moves()])
    assert early.customer != before.customer == moved.customer
    assert written(moved.links) == [("revoked", OLD)]
    assert [(one.customer, one.reason) for one in moved.suggestions] == [(early.customer, "number_changed")]


def test_the_news_of_somebody_unknown_makes_nobody_a_customer() -> None:
    plan = Registry().take(moves())
    assert (plan.customer, plan.links, plan.is_new) == (None, (), False)


def test_a_number_that_somebody_else_holds_stays_theirs() -> None:
    """The account is one person's and the old number another's: nothing is taken from that one."""
    registry = Registry()
    one, other, moved = registry.take_all([shown("one", USER), writes("other", OLD), moves("move", USER)])
    assert (moved.customer, written(moved.links)) == (one.customer, [("linked", NEW)])
    assert registry.take(writes("again", OLD)).customer == other.customer


def test_all_links_of_the_person_with_the_old_number_end() -> None:
    """Two had proven it, and people found them to be one."""
    registry = Registry()
    one = registry.take(writes("one", OLD, ("external_id", "1", "authoritative")))
    two = registry.take(writes("two", OLD, ("external_id", "2", "authoritative")))
    for own, held in registry.facts.disputed[(NEW_MESSAGE.workspace, "phone", OLD)].items():
        registry.facts.disputed[(NEW_MESSAGE.workspace, "phone", OLD)][own] = held._replace(
            customer=one.customer
        )
    moved = registry.take(moves())
    revoked = {link.customer for link in moved.links if link.action == "revoked"}
    assert revoked == {one.customer, two.customer}
    assert registry.take(writes("stranger", OLD)).is_new


def test_read_again_it_is_the_same_persons() -> None:
    registry = Registry()
    first: UUID | None = registry.take(writes("before", OLD)).customer
    again = [registry.take(moves()) for _ in range(2)]
    assert [plan.customer for plan in again] == [first, first]
    assert written(again[1].links) == [("linked", NEW)]


@pytest.mark.parametrize("kind", ["message", "status", "echo"])
def test_only_the_network_s_own_news_count(kind: str) -> None:
    registry = Registry()
    registry.take(writes("before", OLD))
    registry.take(shown("typed", ("phone", OLD, "claimed"), kind=kind, fields={"new_number": NEW}))
    assert registry.take(writes("after", OLD)).trust == "verified"
    assert registry.take(writes("new", NEW)).is_new
