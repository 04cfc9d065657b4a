"""Links by handles that turned out to be shared (trust model, I5): many people have proven them by now, or the configuration
names them since. Nothing new is linked by such a handle from that moment on; what was linked before is looked at again here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID, uuid4

from contracts.workspace import Workspace
from identity.doubts import Doubt, undo
from identity.facts import SHARED_ABOVE
from identity.shared import DOMAIN, Shown, shared_handles
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.periodic import Periodic
from sinks.postgres import identity_withdrawal
from sinks.postgres.config_store import ConfigStore

_SECONDS = 60.0
_NOTE = "Who wrote this is not sure any more: they were known by something that several people share."


class Reexamination(Periodic):
    """Links by shared handles come into dispute, and automatic merges by them are taken back; the queues concerned are told."""

    def __init__(self, database: Database, clock: Clock, workspaces: Sequence[UUID]) -> None:
        super().__init__(_SECONDS)
        self._database = database
        self._configs = ConfigStore(database)
        self._clock = clock
        self._workspaces = workspaces
        self._versions: dict[UUID, str] = {}

    async def tick(self) -> None:
        await self._database.open()
        found = await self._configs.current(list(self._workspaces), self._clock.now())
        for workspace, (version, config) in found.items():
            if config is None:
                continue
            # What the configuration says is looked up once a version: domains have no index.
            named = shared_handles(config) if self._versions.get(workspace) != version else ()
            await self._examine(workspace, config, named)
            self._versions[workspace] = version

    async def _examine(self, workspace: UUID, config: Workspace, named: Iterable[Shown]) -> None:
        domains = [value for kind, value in named if kind == DOMAIN]
        doubt = Doubt(workspace, uuid4(), self._clock.now(), "identity", "shared", _NOTE)
        async with self._database.transaction([workspace]) as connection:
            crowded = await identity_withdrawal.crowded(connection, workspace, SHARED_ABOVE)
            shared = [*crowded, *(one for one in named if one[0] != DOMAIN)]
            links = await identity_withdrawal.verified(connection, workspace, shared, domains)
            handles = {*shared, *((link.kind, link.value) for link in links)}
            merged = await identity_withdrawal.merged_by(connection, workspace, sorted(handles))
            if links or merged:
                await undo(connection, config, doubt, "contested", links, merged)
