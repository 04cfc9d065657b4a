"""The desk as a process: the API over HTTP for the workspaces of its settings."""

from __future__ import annotations

from contracts.ids import workspace_id
from desk.answers import Answers
from desk.api import create_app
from desk.auth import Authenticator
from desk.changes import Changes
from desk.customers import Customers
from desk.orders import Orders
from desk.presence import People
from desk.proofs import Proofs
from desk.pull import Pull
from desk.tickets import Tickets
from desk.work import Work
from identity.tombstones import Tombstones
from router.rulesets import RuleSets
from runtime.clock import Clock
from runtime.health import Health
from runtime.http import HttpServer
from runtime.postgres import Database
from runtime.settings import Settings
from sinks.archive import archive_of
from sinks.postgres.config_store import ConfigStore, WorkspaceCache
from sinks.postgres.key_store import KeyStore

_FRESH_SECONDS = 0.5
"""Whoever was taken out of a department must not see, or pull from, it a second later."""

_CONNECTIONS = 8
_PATIENCE = 10.0
"""Seconds that a request waits for a connection: when a whole team pulls at once, they stand in line."""


class DeskService:
    """Binds `settings.listen:settings.desk_port`; while Postgres is away it answers 503."""

    def __init__(self, settings: Settings) -> None:
        clock = Clock(settings.clock)
        self._database = Database(settings.postgres, max_size=_CONNECTIONS, timeout=_PATIENCE)
        workspaces = WorkspaceCache(ConfigStore(self._database), clock, _FRESH_SECONDS)
        served = [workspace_id(slug) for slug in settings.workspaces]
        rules = RuleSets(workspaces)
        authenticator = Authenticator(KeyStore(self._database), workspaces, rules, served)
        changes = Changes(self._database, clock, rules)
        app = create_app(
            Tickets(self._database),
            Work(changes),
            Pull(self._database, clock, changes),
            People(self._database, clock, changes),
            Answers(self._database, clock, settings.reply_secrets),
            Customers(self._database, clock, Tombstones.load(settings), archive_of(settings)),
            Orders(self._database, clock),
            Proofs(self._database, clock, settings.gateway_url),
            authenticator,
        )
        self._server = HttpServer(app, settings.listen, settings.desk_port)

    def report(self, health: Health) -> None:
        """Ready means that the database answers."""
        health.ready_checks["postgres"] = self._answers

    async def run(self) -> None:
        """Serves until `stop`."""
        async with self._database:
            await self._server.run()

    async def stop(self) -> None:
        """Answers what has begun, then `run` returns."""
        await self._server.stop()

    async def port(self) -> int:
        """The port that is bound, once it is."""
        return await self._server.port()

    async def _answers(self) -> None:
        await self._database.fetch([], "SELECT 1")
