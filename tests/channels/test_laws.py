"""What no author of an example writes: the same bytes give the same ids, and damaged bytes give an answer, never a fault."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts.base import encode
from contracts.errors import Poison, Refused
from contracts.inbound import InboundMessage
from contracts.topics import MAX_INBOUND_BYTES
from ingest.channel import Channel, Raw, Request, Verifies, channels
from tests.channels.test_examples import EXAMPLES, raw_of

FLIPS = 60

examples = pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda path: f"{path.parent.name}/{path.name.partition('.')[0]}"
)


LONGEST_KEY = 2600
"""Bytes that fit into an index of Postgres."""

_read = msgspec.json.Decoder(InboundMessage)


def answers(channel: Channel, raw: Raw) -> list[bytes] | str:
    """The messages as bytes, which the next stage can read and store, or why there are none."""
    try:
        found = channel.normalise(raw).messages
    except (Poison, Refused) as error:
        return str(error)
    encoded = [encode(message) for message in found]
    assert [_read.decode(one) for one in encoded] == found
    for message in found:
        ids = (message.provider_id, message.target, message.conversation_key, *message.reply_to)
        assert all(len(one.encode()) <= LONGEST_KEY for one in ids if one)
    return encoded


@examples
def test_the_same_bytes_give_the_same_messages(example: Path) -> None:
    channel, raw = channels()[example.parent.name], raw_of(example, example.read_bytes())
    assert channel.normalise(raw) == channel.normalise(raw)


@examples
def test_references_lead_to_bytes_that_are_handed_over(example: Path) -> None:
    result = channels()[example.parent.name].normalise(raw_of(example, example.read_bytes()))
    for message in result.messages:
        refs = [
            message.text_ref,
            message.quoted_text_ref,
            message.html_ref,
            *(a.ref for a in message.attachments),
        ]
        assert {ref.removeprefix("sha256:") for ref in refs if ref} <= set(result.blobs)


@examples
def test_truncated_bytes_are_answered(example: Path) -> None:
    channel, body = channels()[example.parent.name], example.read_bytes()
    for end in range(0, len(body), max(1, len(body) // 40)):
        answers(channel, raw_of(example, body[:end]))


@examples
def test_flipped_bytes_are_answered(example: Path) -> None:
    channel, body = channels()[example.parent.name], example.read_bytes()
    chance = random.Random(example.name)
    for _ in range(FLIPS):
        damaged = bytearray(body)
        damaged[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        answers(channel, raw_of(example, bytes(damaged)))


@examples
@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"\0", b"\xff\xfe\xfd" * 50, b"null", b"[]", b"{}", b"{" * 20_000, b'{"a":' * 20_000],
    ids=["empty", "space", "nul", "not_utf8", "null", "list", "object", "deep", "deeper"],
)
def test_other_bytes_are_answered(example: Path, body: bytes) -> None:
    answers(channels()[example.parent.name], raw_of(example, body))


@examples
def test_huge_values_are_answered(example: Path) -> None:
    channel, body = channels()[example.parent.name], example.read_bytes()
    for piece in (b"e", b"0", b'"', b"\n"):
        answers(channel, raw_of(example, body.replace(piece, piece * 2000)[: 2 << 20]))


@pytest.mark.parametrize("name", sorted({path.parent.name for path in EXAMPLES}))
def test_ordinary_messages_fit_into_a_record(name: str) -> None:
    for example in EXAMPLES:
        if example.parent.name == name:
            for message in channels()[name].normalise(raw_of(example, example.read_bytes())).messages:
                assert len(encode(message)) < MAX_INBOUND_BYTES


@pytest.mark.parametrize(
    "name", [name for name, channel in channels().items() if isinstance(channel, Verifies)]
)
def test_without_a_secret_the_door_is_closed(name: str) -> None:
    channel = channels()[name]
    assert isinstance(channel, Verifies)
    for secrets in ([], [""]):
        for headers in ({}, {"x-telegram-bot-api-secret-token": ""}):
            with pytest.raises(Refused):
                channel.verify(Request("POST", "/", {}, headers, b"{}"), secrets)


def test_every_channel_has_examples() -> None:
    assert {path.parent.name for path in EXAMPLES} == set(channels())


OTHERS = (None, True, 0, -1, 10**30, 1e300, "", "x" * 3000, "\0", [], [[]], {}, {"id": {}})


@pytest.mark.parametrize("name", sorted({path.parent.name for path in EXAMPLES if path.suffix == ".json"}))
def test_values_of_another_shape_are_answered(name: str) -> None:
    """Every value of every example in turn is something else: what a provider changes without asking."""
    channel = channels()[name]
    for example in (path for path in EXAMPLES if path.parent.name == name and path.suffix == ".json"):
        given = json.loads(example.read_bytes())
        for place in list(places(given)):
            for other in OTHERS:
                body = json.dumps(changed(given, place, other)).encode()
                answers(channel, raw_of(example, body))


Place = tuple[str | int, ...]


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """The way to every value within."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield (*at, key)
        yield from places(one, (*at, key))


def changed(value: Any, place: Place, other: Any) -> Any:
    if not place:
        return other
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = changed(value[place[0]], place[1:], other)
    return copy
