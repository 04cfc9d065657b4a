"""The corpus of deadlines in working time, through the command."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import frontdesk

CORPUS = Path(__file__).parents[2] / "../shared/corpus/sla/cases.jsonl"


def value(result: Any) -> Any:
    """Instants are compared as instants."""
    return datetime.fromisoformat(result) if isinstance(result, str) and result != "error" else result


async def test_every_deadline() -> None:
    if not CORPUS.is_file():
        pytest.skip("the corpus sla is not beside the repository")
    cases = [json.loads(line) for line in CORPUS.read_text().splitlines()]
    ended = await frontdesk("deadline", "--cases", str(CORPUS))
    results = {row["id"]: value(row["result"]) for row in ended.rows}
    assert results == {case["id"]: value(case["expect"]) for case in cases}, ended.errors
