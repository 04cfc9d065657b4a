"""A gateway over HTTP on real Kafka and Postgres, with an account of every channel that is called."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from contracts.inbound import InboundMessage
from contracts.workspace import Account, Workspace
from ingest.gateway_service import GatewayService
from runtime.health import Health
from runtime.settings import Bot, Hook, Settings
from tests.channels.test_examples import EXAMPLES
from tests.support import hooks
from tests.support.shop import SHOP
from tests.support.topics import Since

PUBLIC = "https://desk.example"
ACCOUNTS = {channel: f"{channel.replace('_', '-')}-a" for channel in (*hooks.SIGNED, "telegram")}
SECRETS = {channel: "meta-secret" if channel in hooks.META else f"{channel}-secret" for channel in ACCOUNTS}
CONFIG: Workspace = msgspec.structs.replace(
    SHOP,
    accounts=(
        *SHOP.accounts[:2],
        *(Account(channel=channel, id=account, store="a") for channel, account in ACCOUNTS.items()),
    ),
)
HOOKS = tuple(
    Hook(
        workspace="shop",
        channel=channel,
        account=account,
        secrets=("older", SECRETS[channel]),
        verify_token="agreed",
    )
    for channel, account in ACCOUNTS.items()
    if channel != "telegram"
)
BOT = Bot(workspace="shop", account=ACCOUNTS["telegram"], secret=SECRETS["telegram"])
CHANNELS = sorted(ACCOUNTS)


@dataclass(slots=True)
class Door:
    """The gateway as its callers see it."""

    client: httpx.AsyncClient
    since: Since

    async def post(
        self, channel: str, body: bytes, kind: str = "application/json", secret: str | None = None
    ) -> httpx.Response:
        path = f"/webhooks/{channel}/{ACCOUNTS[channel]}"
        signed = hooks.headers(channel, secret or SECRETS[channel], body, PUBLIC + path)
        if channel == "rating":
            # With the key itself, and so without an id of the delivery, which would be the rating's.
            signed = {"authorization": f"Bearer {secret or SECRETS[channel]}"}
        return await self.client.post(path, content=body, headers={"content-type": kind} | signed)

    async def stored(self) -> list[InboundMessage]:
        """Each event once, in no order: a stored message is one of these ids."""
        found = {message.message_id: message for message in await self.since.messages()}
        return list(found.values())


@asynccontextmanager
async def running(chosen: Settings) -> AsyncIterator[Door]:
    """A gateway that has read its accounts."""
    service = GatewayService(chosen)
    health = Health()
    service.report(health)
    task = asyncio.create_task(service.run())
    try:
        url = f"http://127.0.0.1:{await service.port()}"
        async with asyncio.timeout(30):
            while not await has_accounts(health):
                await asyncio.sleep(0.02)
        async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
            yield Door(client, await Since.now(chosen.kafka))
    finally:
        await service.stop()
        await asyncio.wait_for(task, 20)


async def has_accounts(health: Health) -> bool:
    try:
        await health.ready_checks["accounts"]()
    except RuntimeError:
        return False
    return True


def examples(channel: str) -> list[tuple[bytes, str, list[dict[str, Any]]]]:
    """Bodies, their types, and what is expected of them; without those that need another account's settings."""
    found = []
    for path in EXAMPLES:
        name = path.name.partition(".")[0]
        if path.parent.name == channel and not path.with_name(f"{name}.options.json").exists():
            kind = hooks.FORM if path.suffix == ".form" else "application/json"
            expected = json.loads(path.with_name(f"{name}.out.json").read_text())
            found.append((path.read_bytes(), kind, expected))
    return found
