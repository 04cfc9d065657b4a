"""Prepares a fresh system: database, topics, the demo workspace and an API key; and says where everything is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from contracts.ids import workspace_id
from contracts.workspace import Workspace
from desk.auth import create_key
from ingest.channel import Named, Verifies, channels
from runtime.kafka import ensure_topics
from runtime.postgres import Database
from runtime.settings import Hook, Settings
from sinks.config_files import load_folder, version
from sinks.postgres.config_store import ConfigStore
from sinks.postgres.migrate import create_database, migrate

DEMO = Path(__file__).resolve().parents[1] / "deploy" / "config" / "demo"


_ALWAYS = datetime(2000, 1, 1, tzinfo=UTC)
"""The demo is in force whatever instant FRONTDESK_CLOCK stands at."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What `up.json` needs to know about the workspace."""

    workspace: Workspace
    api_key: str
    telegram_secret: str


def prepare(settings: Settings, telegram_secret: str) -> Prepared:
    """Migrations, topics, configuration and a lead's key. Repeatable: what is there stays."""
    create_database(settings.postgres_owner)
    migrate(settings.postgres_owner)
    config = load_folder(DEMO)
    api_key = asyncio.run(_prepare(settings, config))
    return Prepared(config, api_key, telegram_secret)


async def _prepare(settings: Settings, config: Workspace) -> str:
    await ensure_topics(settings.kafka, partitions=settings.partitions, replication=1, min_insync=1)
    async with Database(settings.postgres_system, max_size=1) as database:
        await ConfigStore(database).apply(config, version(config), by="frontdesk up", effective_from=_ALWAYS)
        return await _lead_key(settings, database, config)


async def _lead_key(settings: Settings, database: Database, config: Workspace) -> str:
    """Made once: only its hash is in the database, so the key itself is kept in the data folder."""
    path = settings.data / "secrets" / "api_key"
    if path.exists():
        return path.read_text()
    lead = next(agent for agent in config.agents if agent.role == "lead")
    key = await create_key(database, workspace_id(config.slug), lead.id, "lead")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_text(key)
    return key


def demo_hooks(secret: Callable[[str], str]) -> tuple[Hook, ...]:
    """What opens the demo's webhooks, but for Telegram's. Accounts of one provider share its secret, as in life."""
    config = load_folder(DEMO)
    found: list[Hook] = []
    for account in config.accounts:
        channel = channels().get(account.channel)
        if account.channel == "telegram" or not isinstance(channel, Verifies):
            continue
        provider = channel.providers[0] if isinstance(channel, Named) else account.channel
        found.append(
            Hook(
                workspace=config.slug,
                channel=account.channel,
                account=account.id,
                secrets=(secret(provider),),
                verify_token=secret("verify_token"),
            )
        )
    return tuple(found)


def describe(settings: Settings, prepared: Prepared, metrics: list[str]) -> dict[str, Any]:
    """The content of `up.json`: what scripts may rely on."""
    gateway = f"http://{settings.listen}:{settings.gateway_port}"
    desk = f"http://{settings.listen}:{settings.desk_port}"
    form, chat = (
        next(account.id for account in prepared.workspace.accounts if account.channel == channel)
        for channel in ("webform", "chat")
    )
    workspace = workspace_id(prepared.workspace.slug)
    separator = "&" if "?" in settings.postgres else "?"
    return {
        "form": f"{gateway}/forms/{form}",
        "chat": f"{gateway}/chat/{chat}",
        "gateway": gateway,
        "desk": desk,
        "smtp": f"{settings.listen}:{settings.smtp_port}",
        "metrics": metrics,
        "kafka": settings.kafka,
        # With the demo workspace set, since row-level security shows nothing without one.
        "postgres": f"{settings.postgres}{separator}options=-c%20app.workspaces%3D{workspace}",
        "workspace": str(workspace),
        "api_key": prepared.api_key,
        "telegram_secret": prepared.telegram_secret,
        "webhooks": [
            {
                "url": f"{gateway}/webhooks/{hook.channel}/{hook.account}",
                "secret": hook.secrets[0],
                "verify_token": hook.verify_token,
            }
            for hook in settings.hooks
            if hook.secrets
        ],
        "data": str(settings.data),
    }


def show(console: Console, where: dict[str, Any], file: Path) -> None:
    """What a person wants to know once it runs."""
    send = (
        f"curl -sS {where['form']}/submissions -H 'Content-Type: application/json' "
        '-d \'{"name":"Ann","email":"ann@example.com","department":"returns",'
        '"message":"The size is wrong, I want to exchange it."}\''
    )
    follow = f"FRONTDESK_DATA={where['data']} .venv/bin/frontdesk trace RECEIPT"
    console.print("Frontdesk is up", style="bold")
    for name, place in (
        ("contact form", where["form"]),
        ("live chat", where["chat"]),
        ("desk", f"{where['desk']}/tickets (Authorization: Bearer, and api_key of the file below)"),
        ("webhooks", f"{where['gateway']}/webhooks/CHANNEL (addresses and secrets in the file below)"),
        ("mail by SMTP", f"{where['smtp']} (for support@demo.example)"),
        ("metrics", " ".join(where["metrics"])),
        ("data", where["data"]),
        ("for scripts", file),
    ):
        console.print(f"{name:<14}{place}", soft_wrap=True, markup=False, highlight=False)
    console.print("send a message:", style="bold")
    console.print(send, soft_wrap=True, markup=False, highlight=False)
    console.print("follow it to its ticket (with the receipt it answers):", style="bold")
    console.print(follow, soft_wrap=True, markup=False, highlight=False)
    console.print("Ctrl-C stops everything.", style="dim")
