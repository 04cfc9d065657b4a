"""The published schemas follow the structs, and the examples follow both."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest
from jsonschema import Draft202012Validator

from contracts.inbound import InboundMessage
from contracts.resolved import ResolvedMessage
from contracts.schema import FOLDER, PUBLISHED, schema, text

EXAMPLES = FOLDER.parent / "examples"
FILES = sorted(EXAMPLES.glob("*/*.json"))


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@pytest.mark.parametrize("name", PUBLISHED)
def test_schema_is_up_to_date(name: str) -> None:
    assert (FOLDER / f"{name}.schema.json").read_text("utf-8") == text(name), "run python -m contracts.schema"


def test_no_schema_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {f"{name}.schema.json" for name in PUBLISHED}


@pytest.mark.parametrize("name", [name for name in PUBLISHED if name != "workspace"])
def test_every_payload_has_examples(name: str) -> None:
    assert len([path for path in FILES if path.parent.name == name]) >= 2


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_example_is_valid(path: Path) -> None:
    example = json.loads(path.read_bytes())
    Draft202012Validator(schema(path.parent.name)).validate(example)
    read = msgspec.json.decode(path.read_bytes(), type=PUBLISHED[path.parent.name])
    if isinstance(read, ResolvedMessage):
        assert msgspec.json.decode(read.inbound, type=InboundMessage).message_id == read.message_id
    assert json.loads(msgspec.json.encode(read)) == example


def test_schema_refuses_what_decoding_refuses() -> None:
    example = json.loads((EXAMPLES / "frontdesk.inbound.v1" / "webform.json").read_bytes())
    example["kind"] = "shout"
    assert not Draft202012Validator(schema("frontdesk.inbound.v1")).is_valid(example)
