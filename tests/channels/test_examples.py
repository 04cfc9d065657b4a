"""Every example `<channel>/<case>.in.<ext>` becomes the messages in `<case>.out.json` (without the raw bytes), for an account
with the settings of `<case>.options.json` if that is there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from contracts.base import encode
from ingest.channel import Normalised, Raw, channels

HERE = Path(__file__).parent
RECEIVED = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
TYPES = {
    "json": "application/json",
    "eml": "message/rfc822",
    "form": "application/x-www-form-urlencoded",
    "multipart": "multipart/form-data; boundary=frontier",
}
OPTIONS = {"email": {"address": "support@shop.example", "authserv": "mx.shop.example"}}
EXAMPLES = sorted(HERE.glob("*/*.in.*"))


def readable(result: Normalised) -> list[dict[str, Any]]:
    """The messages as JSON, which of their references the intake is given bytes for, and what could not be read."""
    rows = []
    for message in result.messages:
        row = json.loads(encode(message))
        row["raw"].pop("inline", None)
        rows.append(row | {"blobs": sorted(result.blobs)})
    return rows + [{"unread": part.reason, "bytes": json.loads(part.body)} for part in result.unread]


def raw_of(example: Path, body: bytes) -> Raw:
    """What the door would hand over with this body, if it came as the example's."""
    return Raw(
        body=body,
        workspace=UUID(int=1),
        account="support",
        received_at=RECEIVED,
        content_type=TYPES[example.suffix.removeprefix(".")],
        options=options_of(example),
    )


def options_of(example: Path) -> dict[str, str]:
    own = example.with_name(example.name.partition(".")[0] + ".options.json")
    return json.loads(own.read_text()) if own.exists() else OPTIONS.get(example.parent.name, {})


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.name.partition('.')[0]}"
)
def test_example(example: Path, request: pytest.FixtureRequest) -> None:
    channel = channels()[example.parent.name]
    found = readable(channel.normalise(raw_of(example, example.read_bytes())))
    expected = example.with_name(example.name.partition(".")[0] + ".out.json")
    if request.config.getoption("--bless", default=False):
        expected.write_text(json.dumps(found, indent=2, ensure_ascii=False, sort_keys=True) + "\n")
    assert found == json.loads(expected.read_text())
