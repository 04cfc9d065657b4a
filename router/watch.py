"""What the router does by the clock, over every workspace."""

from __future__ import annotations

from typing import ClassVar

from router.rulesets import RuleSets
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.periodic import Periodic
from sinks.postgres.config_store import ConfigStore, WorkspaceCache


class Watch(Periodic):
    """A service with the role that sees every workspace, each `seconds`. `tick` opens the database and refreshes the
    workspaces it is about."""

    seconds: ClassVar[float]

    def __init__(self, system_db: Database, clock: Clock) -> None:
        super().__init__(self.seconds)
        self._database = system_db
        self._clock = clock
        self._workspaces = WorkspaceCache(ConfigStore(system_db), clock)
        self._rules = RuleSets(self._workspaces)
