"""The examples of every network through the running system: each event is stored once, only questions open tickets, and the
books balance."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime
from pathlib import Path

import httpx

from contracts.ids import workspace_id
from ingest.channel import Raw, channels
from tests.channels.test_examples import EXAMPLES
from tests.support import hooks
from tests.support.chain import TELEGRAM_SECRET, Chain

Call = tuple[str, bytes, dict[str, str]]


def calls(chain: Chain) -> list[Call]:
    """Path, body and headers of every example that an account of the demo can be sent."""
    opened = {hook.channel: hook for hook in chain.settings.hooks if hook.channel in hooks.SIGNED}
    found = []
    for number, example in enumerate(EXAMPLES):
        channel, name = example.parent.name, example.name.partition(".")[0]
        if example.with_name(f"{name}.options.json").exists() or channel not in (*opened, "telegram"):
            continue
        account = opened[channel].account if channel in opened else "demo-bot"
        secret = opened[channel].secrets[0] if channel in opened else TELEGRAM_SECRET
        path, body = f"/webhooks/{channel}/{account}", example.read_bytes()
        body = another_update(body, number) if channel == "telegram" else body
        signed = hooks.headers(channel, secret, body, chain.gateway + path, identity=name)
        kind = hooks.FORM if example.suffix == ".form" else "application/json"
        found.append((path, body, {"content-type": kind} | signed))
    return found


def another_update(body: bytes, number: int) -> bytes:
    """Telegram's examples are all message 41: each with a number of its own."""
    update = json.loads(body)
    for event in update.values():
        if isinstance(event, dict) and "message_id" in event:
            event["message_id"] = number
    return json.dumps(update | {"update_id": number}).encode()


def expected(sent: list[Call]) -> set[tuple[str, str, str]]:
    """What the channels make of the same bytes."""
    found = set()
    for path, body, headers in sent:
        channel = channels()[path.split("/")[2]]
        raw = Raw(
            body=body,
            workspace=workspace_id("demo"),
            account="",
            received_at=datetime.now(UTC),
            content_type=headers["content-type"],
            headers=headers,
        )
        found |= {(m.channel, m.provider_id, m.kind) for m in channel.normalise(raw).messages}
    return found


async def post(chain: Chain, sent: list[Call]) -> None:
    async with httpx.AsyncClient(base_url=chain.gateway, timeout=60, trust_env=False) as client:
        for path, body, headers in sent:
            answer = await client.post(path, content=body, headers=headers)
            assert answer.status_code == 200, (path, answer.text)


def test_every_event_is_stored_once_and_only_questions_open_tickets(tmp_path: Path) -> None:
    with Chain(tmp_path) as chain:
        sent = calls(chain)
        for round_ in range(2):
            random.Random(round_).shuffle(sent)
            asyncio.run(post(chain, sent))
        books = chain.settle()
        assert books["residual"] == 0, books
        rows = chain.rows("SELECT channel, provider_id, kind FROM messages")
        assert len(rows) == len(set(rows))
        assert set(rows) == expected(sent)
        assert (
            chain.rows(
                "SELECT reason, channel, convert_from(raw, 'UTF8') FROM dead_letters WHERE stage <> 'ingest'"
            )
            == []
        )
        others = "SELECT count(*) FROM messages WHERE kind NOT IN ('message', 'call', 'echo', 'rating') AND ticket_id IS NOT NULL"
        assert chain.scalar(others) == 0
        unasked = (
            "SELECT count(*) FROM tickets t WHERE NOT EXISTS (SELECT FROM messages m WHERE m.workspace = t.workspace "
            "AND m.ticket_id = t.ticket_id AND m.kind IN ('message', 'call'))"
        )
        assert chain.scalar(unasked) == 0
        assert chain.scalar("SELECT count(*) FROM messages WHERE kind = 'message' AND ticket_id IS NULL") == 0
        empty = (
            "SELECT count(*) FROM messages WHERE kind = 'message' AND payload->>'text' IS NULL "
            "AND payload->'attachments' IS NULL AND payload->'fields' IS NULL"
        )
        assert chain.scalar(empty) == 0
