"""Telegram payloads of other projects' tests: every one is read as its ground truth says."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from ingest.channel import Raw, channels

CORPUS = Path(__file__).parents[2] / "../shared/corpus/webhooks"


def rows() -> list[dict[str, Any]]:
    path = CORPUS / "cases.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []
    return [row for row in found if row["channel"] == "telegram"]


def read(row: dict[str, Any], **options: str) -> dict[str, Any]:
    """What came of a payload, in the words of the ground truth."""
    raw = Raw(
        body=(CORPUS / row["file"]).read_bytes(),
        workspace=UUID(int=1),
        account="bot",
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
        options=options,
    )
    [message] = channels()["telegram"].normalise(raw).messages
    person = next((h.value for h in message.sender.handles if h.kind == "telegram_user"), None)
    return {
        "update_id": int(message.fields["update_id"]),
        "update": message.fields["update"],
        "kind": message.kind,
        "chat_id": int(message.conversation_key or 0),
        "chat_type": message.fields["chat_type"],
        "message_id": int(message.fields["message_number"]),
        "user_id": int(person or 0),
        "username": message.sender.raw,
        "name": message.sender.display_name,
        "text": message.text,
        "media": len(message.attachments),
    }


def test_every_payload_is_read_as_its_ground_truth_says() -> None:
    cases = rows()
    if not cases:
        pytest.skip("the corpus webhooks is not beside the repository")
    for row in cases:
        expected = row["expect"] | {"media": len(row["expect"].get("media", ()))}
        assert read(row, groups="yes") == expected, row["id"]


def test_groups_are_left_alone_unless_the_account_wants_them() -> None:
    groups = [row for row in rows() if row["expect"]["chat_type"] == "group"]
    if not groups:
        pytest.skip("the corpus webhooks is not beside the repository")
    assert {read(row)["kind"] for row in groups} == {"unsupported"}
