"""A picture from the webhook to the archive, with every process running: the books stay right, also over what nobody can read."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec

from contracts.topics import INBOUND
from frontdesk import workspace_setup
from runtime.kafka import Outgoing, Producer
from runtime.settings import Hook
from tests.support import hooks
from tests.support.chain import ALL, Chain, wait_for
from tests.support.provider import Answer, Provider, provider

JPEG = b"\xff\xd8\xff\xe0" + b"picture" * 100
DIGEST = hashlib.sha256(JPEG).hexdigest()


@contextmanager
def serving() -> Iterator[Provider]:
    """A provider in a thread of its own, for a test that waits without an event loop."""
    ready, loop, found = threading.Event(), asyncio.new_event_loop(), []

    async def serve(stop: asyncio.Event) -> None:
        async with provider() as server:
            found.append(server)
            ready.set()
            await stop.wait()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(stop),))
    thread.start()
    ready.wait(10)
    try:
        yield found[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def opened(hook: Hook) -> Hook:
    return msgspec.structs.replace(hook, token="access") if hook.channel == "whatsapp" else hook


def call(media: str) -> bytes:
    image = {"id": media, "mime_type": "image/jpeg", "caption": "It came broken"}
    message = {
        "from": "48601100200",
        "id": f"wamid.{media}",
        "timestamp": "1767225600",
        "type": "image",
        "image": image,
    }
    value: dict[str, Any] = {"messaging_product": "whatsapp", "messages": [message]}
    value["metadata"] = {"phone_number_id": "106540352242922"}
    change = {"field": "messages", "value": value}
    return json.dumps(
        {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]}
    ).encode()


async def produce(bootstrap: str, value: bytes) -> None:
    producer = Producer(bootstrap)
    await producer.start()
    await producer.send_all([Outgoing(INBOUND.name, b"k", value)])
    await producer.stop()


def test_a_picture_reaches_the_archive_and_nothing_is_counted_twice(tmp_path: Path) -> None:
    demo = workspace_setup.demo_hooks(lambda provider: f"chain-{provider}")
    with serving() as files:
        url = files.gives("/cdn/1", Answer(JPEG))
        files.gives("/v23.0/media-1", Answer(msgspec.json.encode({"url": url, "sha256": DIGEST})))
        chain = Chain(
            tmp_path,
            processes=(*ALL, "media"),
            hooks=tuple(map(opened, demo)),
            graph_api=f"{files.origin}/v23.0",
            media_origins=(files.origin,),
        )
        with chain:
            asyncio.run(produce(chain.settings.kafka, b"{rubbish"))
            hook = next(hook for hook in chain.settings.hooks if hook.channel == "whatsapp")
            for media in ("media-1", "media-2", "media-1"):
                body = call(media)
                signed = hooks.headers("whatsapp", hook.secrets[0], body)
                address = f"{chain.gateway}/webhooks/whatsapp/{hook.account}"
                answer = httpx.post(address, content=body, headers=signed, timeout=30, trust_env=False)
                assert answer.status_code == 200, answer.text
            wanted = "SELECT state, reason, sha256 FROM media ORDER BY sha256"
            ended = [("fetched", None, DIGEST), ("expired", "http_404", None)]
            wait_for(lambda: chain.rows(wanted) == ended, 60, lambda: f"both ended: {chain.rows(wanted)}")
            ledger = chain.settle()
            assert (ledger["residual"], ledger["parked"], ledger["duplicates"]) == (0, 1, 1)
            archived = chain.settings.archive / DIGEST[:2] / DIGEST
            assert archived.read_bytes() == JPEG
            number = chain.scalar("SELECT number FROM tickets")
            shown = httpx.get(
                f"http://127.0.0.1:{chain.settings.desk_port}/tickets/{number}",
                headers={"Authorization": f"Bearer {chain.prepared.api_key}"},
                trust_env=False,
            ).json()["conversation"]
    assert [message["attachments"][0].get("state") for message in shown] == ["fetched", "expired"]
