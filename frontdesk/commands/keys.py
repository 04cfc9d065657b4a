"""`frontdesk keys`: who may call the desk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from contracts.errors import Refused
from contracts.workspace import Agent
from desk.auth import Role, create_key, key_id
from frontdesk import console
from runtime.clock import Clock
from runtime.postgres import Database
from runtime.settings import Settings
from sinks.postgres.config_store import ConfigStore
from sinks.postgres.key_store import KeyStore, ListedKey

app = typer.Typer(help="API keys of the desk: create, list, revoke.", no_args_is_help=True)


def register(parent: typer.Typer) -> None:
    parent.add_typer(app, name="keys")


T = TypeVar("T")
Json = Annotated[bool, typer.Option("--json", help="one JSON value a line")]


@app.command()
def create(
    agent: Annotated[str, typer.Argument(help="id of an agent of the configuration")],
    role: Annotated[Role | None, typer.Option(help="instead of the agent's own")] = None,
    json: Json = False,
) -> None:
    """Makes a key and prints it, this once: only its hash is stored."""
    key, granted = _with(lambda database, settings: _create(database, settings, agent, role))
    if json:
        console.write_json({"key_id": key_id(key), "agent": agent, "role": granted, "key": key})
        return
    console.errors.print(f"a key of {agent} as {granted}; it cannot be shown again:", highlight=False)
    print(key)


@app.command("list")
def list_(json: Json = False) -> None:
    """Every key of the workspace, the revoked ones last. Secrets are not stored, so none is shown."""
    keys = _with(lambda database, settings: KeyStore(database).listed(console.workspace(settings)))
    if json:
        for key in keys:
            console.write_json(key._asdict())
        return
    console.write_table(ListedKey._fields, keys)


@app.command()
def revoke(named: Annotated[str, typer.Argument(metavar="KEY_ID", help="as `keys list` shows it")]) -> None:
    """Takes a key out of force, from the next request on."""
    if not _with(lambda database, settings: _revoke(database, settings, named)):
        raise Refused("unknown_key", f"{named}: no key of this id is in force")
    console.output.print("revoked")


async def _create(database: Database, settings: Settings, named: str, role: Role | None) -> tuple[str, Role]:
    agent = await _agent(database, settings, named)
    granted = role or agent.role
    return await create_key(database, console.workspace(settings), agent.id, granted), granted


async def _revoke(database: Database, settings: Settings, named: str) -> bool:
    now = Clock(settings.clock).now()
    return await KeyStore(database).revoke(console.workspace(settings), named, now)


async def _agent(database: Database, settings: Settings, named: str) -> Agent:
    """The agent of that id. Raises `Refused` for one whom the configuration in force does not have."""
    workspace = console.workspace(settings)
    found = await ConfigStore(database).current([workspace], Clock(settings.clock).now())
    config = found[workspace][1] if workspace in found else None
    agents = {agent.id: agent for agent in config.agents} if config else {}
    if named not in agents:
        raise Refused("unknown_agent", f"{named!r}; known are {', '.join(sorted(agents)) or 'none'}")
    return agents[named]


def _with(work: Callable[[Database, Settings], Awaitable[T]]) -> T:
    async def run() -> T:
        settings = console.settings()
        async with Database(settings.postgres, max_size=1) as database:
            return await work(database, settings)

    return asyncio.run(run())
