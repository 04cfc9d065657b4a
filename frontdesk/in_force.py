"""The configuration that commands work with."""

from __future__ import annotations

from contracts.errors import Refused
from contracts.workspace import Workspace
from frontdesk import console
from runtime.clock import Clock
from runtime.postgres import Database
from runtime.settings import Settings
from sinks.postgres.config_store import ConfigStore


async def configuration(database: Database, settings: Settings) -> Workspace:
    """That of the command's workspace, in force now. Raises `Refused` where there is none."""
    workspace = console.workspace(settings)
    found = await ConfigStore(database).current([workspace], Clock(settings.clock).now())
    config = found[workspace][1] if workspace in found else None
    if config is None:
        raise Refused("unconfigured", "this workspace has no configuration in force")
    return config
