"""The gateway as a process: the HTTP door, the spool's drain, and the configuration kept fresh."""

from __future__ import annotations

import asyncio

from contracts.ids import workspace_id
from ingest.accounts import Accounts
from ingest.chat import ChatDoor
from ingest.chat_hub import Hub
from ingest.form_guard import Rate
from ingest.gateway import Gateway
from ingest.idempotency import Idempotency
from ingest.intake import Intake
from ingest.lanes import Lanes
from ingest.proof_page import ProofDoor
from ingest.routes import create_app
from ingest.spool import Spool
from runtime.clock import Clock
from runtime.health import Health
from runtime.http import HttpServer
from runtime.kafka import Producer
from runtime.postgres import Database
from runtime.settings import Settings
from runtime.tasks import end
from sinks.archive import archive_of
from sinks.postgres.chat_store import ChatStore
from sinks.postgres.config_store import ConfigStore, WorkspaceCache

_DRAIN_SECONDS = 0.5
_SPOOL_READY = 0.8


class GatewayService:
    """Ready means that it can store: Kafka or the spool."""

    def __init__(self, settings: Settings) -> None:
        clock = Clock(settings.clock)
        self._database = Database(settings.postgres, max_size=2, timeout=1.0)
        self._producer = Producer(settings.kafka)
        self._spool = Spool.claim(settings.spool, "gateway", settings.spool_bytes, settings.fsync_ms / 1000)
        archive = archive_of(settings)
        self._lanes = Lanes(settings.kafka, Rate(settings.sender_burst, settings.sender_per_second))
        self._intake = Intake(
            self._producer, archive, self._spool, clock, settings.reply_secrets, self._lanes
        )
        self._accounts = Accounts(settings, WorkspaceCache(ConfigStore(self._database), clock))
        self._gateway = Gateway(settings, self._intake, self._accounts, Idempotency(self._database), clock)
        self._hub = Hub(ChatStore(self._database), settings.postgres)
        chat = ChatDoor(settings, self._accounts, self._gateway.accept, self._database, clock)
        served = [workspace_id(slug) for slug in settings.workspaces]
        proofs = ProofDoor(self._database, clock, served)
        app = create_app(self._gateway, chat, self._hub, proofs)
        self._server = HttpServer(app, settings.listen, settings.gateway_port, settings.trusted)

    def report(self, health: Health) -> None:
        async def spool() -> None:
            if self._spool.filled >= _SPOOL_READY:
                raise RuntimeError("spool nearly full")

        health.ready_checks |= {"spool": spool, "accounts": self._accounts.check}

    async def run(self) -> None:
        async with self._database:
            await self._producer.start()
            tasks = [
                asyncio.create_task(work)
                for work in (
                    self._accounts.keep_fresh(),
                    self._lanes.run(),
                    self._drain(),
                    self._hub.run(),
                )
            ]
            try:
                await self._server.run()
            finally:
                await end(tasks)
                await self._producer.stop()
                self._spool.close()

    async def stop(self) -> None:
        """New calls get 503; what has begun is answered."""
        self._gateway.draining = True
        self._hub.close_all()
        await self._server.stop()

    async def port(self) -> int:
        """The port that is bound, once it is."""
        return await self._server.port()

    async def _drain(self) -> None:
        while True:
            await self._intake.drain()
            await asyncio.sleep(_DRAIN_SECONDS)
