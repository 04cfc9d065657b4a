"""A change of one stored ticket does to it what the upsert of many does."""

from __future__ import annotations

import re

from sinks.postgres.sql import queries


def test_the_same_columns_change_one_ticket_and_many() -> None:
    sql = queries("tickets")
    upsert = sql["upsert_tickets"].partition("DO UPDATE SET")[2].partition("WHERE")[0]
    change = sql["change_ticket"].partition("SET")[2].partition("WHERE")[0]
    many = re.findall(r"(\w+) = excluded\.(\w+)", upsert)
    one = re.findall(r"(\w+) = (?:string_to_array\()?%\((\w+)\)s", change)
    assert sorted(one) == sorted(many)
    assert len(many) > 25
