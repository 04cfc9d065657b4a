"""What changes about people by the clock alone: shifts and leave that begin and end, leases, skills that are no longer asked
for. A change at the desk acts at once; this finds the rest."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from router.handback import end_leases, end_shifts
from router.offers import offer
from router.rulesets import RuleSets
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.periodic import Periodic
from sinks.postgres.config_store import ConfigStore, WorkspaceCache

_SECONDS = 10.0


class Sweep(Periodic):
    """Each ten seconds, over the workspaces of the settings. Any number may run: a ticket that one is at is left to it."""

    def __init__(self, system_db: Database, clock: Clock, workspaces: Sequence[UUID]) -> None:
        super().__init__(_SECONDS)
        self._database = system_db
        self._clock = clock
        self._workspaces = workspaces
        self._cache = WorkspaceCache(ConfigStore(system_db), clock)
        self._rules = RuleSets(self._cache)

    async def tick(self) -> None:
        await self._database.open()
        await self._cache.refresh(self._workspaces)
        for workspace in self._workspaces:
            rules = self._rules.get(workspace)
            if rules is None:
                continue
            now = self._clock.now()
            await end_shifts(self._database, workspace, rules, now)
            await end_leases(self._database, workspace, rules, now)
            await offer(self._database, workspace, rules, now)
