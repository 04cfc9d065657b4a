"""Calls of networks from other projects' tests: every event is read as its ground truth says, as `frontdesk try` reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import frontdesk

CORPUS = Path(__file__).parents[2] / "../shared/corpus/webhooks/cases.jsonl"

# The ground truth names events as their providers do; ours are these.
KINDS = {
    "mention": "message",
    **dict.fromkeys(("optin", "referral", "pass_thread_control"), "system"),
    **dict.fromkeys(("conversation_started", "subscribed", "unsubscribed"), "system"),
    **dict.fromkeys(("delivered", "seen", "failed"), "status"),
}

# What says nothing, or is the dashboard's test, opens no ticket, though its sender calls it a message.
NO_QUESTION = "instagram/instagram_test_text_event"

# A call record is for reports; the ground truth knows messages only.
CALL = "whatsapp/call_terminate-call_terminate"


def rows() -> list[dict[str, Any]]:
    found = [json.loads(line) for line in CORPUS.read_text().splitlines()] if CORPUS.is_file() else []
    return [row for row in found if row["channel"] != "telegram"]


def kind_of(case: str, expected: dict[str, Any]) -> str:
    content = ("text", "attachments", "media", "media_id", "location")
    empty = not any(expected.get(name) for name in content) and expected.get("type") != "order"
    form = case.startswith("whatsapp/flow_completion")
    if expected["kind"] == "message" and ((empty and not form) or case == NO_QUESTION):
        return "unsupported"
    return KINDS.get(expected["kind"], expected["kind"])


def person_of(message: dict[str, Any]) -> list[str]:
    handles = [handle["value"] for handle in message["sender"]["handles"]]
    return [value.removeprefix("+") for value in handles]


def faults(case: str, expected: dict[str, Any], message: dict[str, Any]) -> Iterator[str]:
    """What of the expected keys is not so."""
    files = [file["provider_ref"] for file in message["attachments"]]
    to = [recipient["value"].removeprefix("+") for recipient in message["recipients"]]
    identity = (message["provider_id"], message["target"] or "")
    checks = {
        "kind": lambda want: message["kind"] == kind_of(case, expected),
        "id": lambda want: want is None or identity[0].startswith(want) or identity[1] == want,
        "text": lambda want: message["text"] == want,
        "from": lambda want: str(want).removeprefix("+") in person_of(message) or message["kind"] == "echo",
        "name": lambda want: message["sender"]["display_name"] == want,
        "handle": lambda want: message["sender"]["raw"] == want,
        "to": lambda want: want in to or message["kind"] != "echo",
        "target": lambda want: message["target"] == want,
        "reply_to": lambda want: message["reply_to"] == [want],
        "reply_to_story": lambda want: message["fields"]["story_url"] == want,
        "media_id": lambda want: files == [want],
        "media": lambda want: files == want,
        "attachments": lambda want: (
            [(a["type"], a["url"]) for a in want]
            == [(a["name"], a["provider_ref"]) for a in message["attachments"]]
        ),
        "status": lambda want: message["fields"]["status"] == want,
        "recipient": lambda want: message["fields"]["recipient"] == want,
        "event": lambda want: message["fields"].get("event", want) == want,
        "channel": lambda want: message["channel"] == want,
        "type": lambda want: message["fields"].get("type", want) == want,
        "location": lambda want: [float(message["fields"][k]) for k in ("latitude", "longitude")] == want,
        "unsupported": lambda want: message["kind"] == "unsupported",
        "timestamp": lambda want: want is None or message["server_at"] is not None,
    }
    for key, want in expected.items():
        if not checks[key](want):
            yield f"{key}: {want!r} wanted, got {message}"


def wrong(case: dict[str, Any], tried: dict[str, Any]) -> Iterator[str]:
    expected = case["expect"] if isinstance(case["expect"], list) else [case["expect"]]
    if tried["outcome"] != "ok" or tried["unread"]:
        yield f"{tried['outcome']}, unread {tried['unread']}"
    messages = tried["messages"]
    if case["id"] == CALL:
        messages = [message for message in messages if message["kind"] != "call"]
    if len(messages) != len(expected):
        yield f"{len(messages)} events, {len(expected)} wanted"
    for one, message in zip(expected, messages, strict=False):
        yield from faults(case["id"], one, message)


@pytest.mark.parametrize("channel", ["whatsapp", "messenger", "instagram", "x", "viber", "twilio"])
async def test_every_call_is_read_as_its_ground_truth_says(channel: str) -> None:
    cases = {row["id"]: row for row in rows() if row["channel"] == channel}
    if not cases:
        pytest.skip("the corpus webhooks is not beside the repository")
    ended = await frontdesk("try", channel, "--cases", str(CORPUS), "--json")
    assert {row["id"] for row in ended.rows} == set(cases), ended.errors
    found = {row["id"]: list(wrong(cases[row["id"]], row)) for row in ended.rows}
    for case, problems in found.items():
        print(*(f"{case}: {problem}" for problem in problems), sep="\n", end="")
    right = sum(not problems for problems in found.values())
    print(f"{channel}: {right} of {len(cases)}")
    assert right == len(cases)
