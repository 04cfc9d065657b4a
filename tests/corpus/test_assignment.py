"""The corpus of assignment through the command: who gets the next ticket, and the turns after it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import frontdesk

CORPUS = Path(__file__).parents[2] / "../shared/corpus/assignment/cases.jsonl"


async def test_every_sequence_of_turns() -> None:
    if not CORPUS.is_file():
        pytest.skip("the corpus assignment is not beside the repository")
    cases = [json.loads(line) for line in CORPUS.read_text().splitlines()]
    ended = await frontdesk("assignment", "--cases", str(CORPUS))
    results = {row["id"]: row["result"] for row in ended.rows}
    sequences = [case for case in cases if "calls" in case]
    assert results == {
        case["id"]: {
            "agents": [call["expect"] for call in case["calls"]],
            "queue_after": case["queue_after"],
        }
        for case in sequences
    }, ended.errors
