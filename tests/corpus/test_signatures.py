"""Published and computed signatures: the genuine are taken, all others refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import frontdesk

CORPUS = Path(__file__).parents[2] / "../shared/corpus/signatures/cases.jsonl"


@pytest.mark.parametrize("provider", ["twilio", "viber", "meta", "x"])
async def test_only_genuine_calls_are_taken(provider: str) -> None:
    if not CORPUS.is_file():
        pytest.skip("the corpus signatures is not beside the repository")
    cases = [row for row in map(json.loads, CORPUS.read_text().splitlines()) if row["provider"] == provider]
    ended = await frontdesk("try", provider, "--cases", str(CORPUS), "--json")
    found = {row["id"]: row for row in ended.rows}
    assert found.keys() == {case["id"] for case in cases}, ended.errors
    wrong = [case["id"] for case in cases if found[case["id"]]["genuine"] != case["valid"]]
    print(f"{provider}: {len(cases) - len(wrong)} of {len(cases)}, wrong: {wrong}")
    assert wrong == []
    for case in cases:
        if "response_token" in case:
            assert json.loads(found[case["id"]]["reply"])["response_token"] == case["response_token"]
