"""Who gets a ticket: turns, absences, load, and every sequence of the corpus."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from router.assign import Candidates, choose, shown, turns_of

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "assignment" / "cases.jsonl"
CASES = [json.loads(line) for line in CORPUS.read_text("utf-8").splitlines()] if CORPUS.exists() else []

TEAM = ("ann", "ben", "cem")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def present(*agents: str) -> Candidates:
    return Candidates(agents, {agent: "absent" for agent in TEAM if agent not in agents})


def in_turn(rounds: list[tuple[str, ...]]) -> list[str | None]:
    turns: tuple[str, ...] = ()
    got = []
    for here in rounds:
        choice = choose("round_robin", TEAM, present(*here), turns)
        turns = choice.turns.after if choice.turns else turns
        got.append(choice.agent)
    return got


@pytest.mark.skipif(not CASES, reason="the corpus is not beside this repository")
@pytest.mark.parametrize("case", [case for case in CASES if "calls" in case], ids=lambda case: case["id"])
def test_corpus(case: dict[str, Any]) -> None:
    members = turns = tuple(case["queue"])
    for call in case["calls"]:
        choice = choose("round_robin", members, Candidates(tuple(call["allowed"]), {}), turns)
        assert choice.agent == call["expect"]
        turns = choice.turns.after if choice.turns else turns
    assert list(turns) == case["queue_after"]


def test_round_robin_is_one_each_in_turn() -> None:
    assert in_turn([TEAM] * 7) == ["ann", "ben", "cem", "ann", "ben", "cem", "ann"]


def test_who_was_absent_gets_one_turn_and_no_burst() -> None:
    without_ben = [("ann", "cem")] * 4
    assert in_turn([*without_ben, TEAM, TEAM, TEAM, TEAM]) == [
        *("ann", "cem", "ann", "cem"),
        *("ben", "ann", "cem", "ben"),
    ]


@pytest.mark.parametrize("method", ["round_robin", "least_open"])
def test_nobody_present_is_the_queue_with_its_reason(method: Any) -> None:
    choice = choose(method, TEAM, present())
    assert (choice.agent, choice.reason, choice.turns) == (None, "no_present_agent", None)


def test_queue_assigns_nobody() -> None:
    assert choose("queue", TEAM, present(*TEAM)).agent is None


def test_least_open_prefers_the_lightest_load_then_the_longest_wait() -> None:
    counts = {"ann": 3, "ben": 1, "cem": 1}
    last = {"ben": NOON, "cem": NOON - timedelta(hours=1)}
    assert choose("least_open", TEAM, present(*TEAM), (), counts, last).agent == "cem"
    assert choose("least_open", TEAM, present("ann", "ben"), (), counts, last).agent == "ben"
    assert choose("least_open", TEAM, present(*TEAM), (), {"ann": 0, "ben": 1, "cem": 1}, last).agent == "ann"


def test_least_open_prefers_who_never_had_one_and_then_the_configured_order() -> None:
    assert choose("least_open", TEAM, present(*TEAM), (), {}, {"ann": NOON}).agent == "ben"


def test_a_rotation_follows_the_members() -> None:
    assert turns_of(("ann", "dee", "cem"), ("cem", "ben", "ann")) == ("cem", "ann", "dee")


def test_beyond_twenty_refusals_the_record_counts_reasons() -> None:
    many = Candidates((), {f"agent-{number}": "absent" for number in range(21)})
    assert shown(many)["refused_by_reason"] == {"absent": 21}
