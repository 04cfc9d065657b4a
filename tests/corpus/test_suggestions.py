"""Suggestions on labelled records: who is one person by names, dates, places and addresses with typing errors."""

from __future__ import annotations

import csv
from collections import defaultdict
from itertools import combinations
from pathlib import Path

import pytest

from identity.suggest import Profile, blocks, compare, profile

RECORDS = Path("../shared/corpus/identity-records/files/fake_1000.csv")
SHOWN = 30
"""How many of a block are compared, as in the store."""


@pytest.mark.skipif(not RECORDS.exists(), reason="the corpus identity-records is not beside the repository")
def test_suggestions_find_most_and_are_mostly_right() -> None:
    with RECORDS.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    people = [_profile(row) for row in rows]
    cluster = [row["cluster"] for row in rows]
    found = {pair for pair in _candidates(people) if compare(people[pair[0]], people[pair[1]]).suffices}
    wanted = {pair for pair in combinations(range(len(rows)), 2) if cluster[pair[0]] == cluster[pair[1]]}
    right = len(found & wanted)
    assert right / len(wanted) >= 0.85, "recall"
    assert right / len(found) >= 0.9, "precision"


def _profile(row: dict[str, str]) -> Profile:
    name = f"{row['first_name']} {row['surname']}"
    details = [("name", name), ("birth_date", row["dob"]), ("place", row["city"])]
    return profile([*details, ("email", row["email"].strip())])


def _candidates(people: list[Profile]) -> set[tuple[int, int]]:
    by_block: dict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(people):
        for block in blocks(one):
            by_block[block].append(number)
    return {
        pair for members in by_block.values() if len(members) <= SHOWN for pair in combinations(members, 2)
    }
