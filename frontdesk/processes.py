"""Every process of the system, once. `frontdesk run NAME` starts one; `frontdesk up` starts all that have work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from runtime.clock import Clock
from runtime.hosts import host
from runtime.kafka import Producer
from runtime.postgres import Database
from runtime.process import Service
from runtime.settings import Settings
from sinks.archive import archive_of
from sinks.postgres.config_store import ConfigStore, WorkspaceCache
from sinks.postgres.incidents import PostgresIncidents


@dataclass(frozen=True, slots=True)
class Process:
    """`wanted`: whether these settings give it anything to do (no mailboxes: no mail process)."""

    name: str
    summary: str
    build: Callable[[Settings], Sequence[Service]]
    wanted: Callable[[Settings], bool] = lambda _: True


def _gateway(settings: Settings) -> Sequence[Service]:
    from ingest.gateway_service import GatewayService

    return [GatewayService(settings)]


def _mail(settings: Settings) -> Sequence[Service]:
    from ingest.imap import MailService

    return [MailService(settings)]


def _smtp(settings: Settings) -> Sequence[Service]:
    from ingest.smtp import SmtpService

    return [SmtpService(settings)]


def _telegram(settings: Settings) -> Sequence[Service]:
    from ingest.telegram_poll import TelegramService

    return [TelegramService(settings)]


def _identity(settings: Settings) -> Sequence[Service]:
    from identity.orders import sources
    from identity.tombstones import Tombstones
    from identity.worker import Identity

    parts = Parts(settings)
    orders = sources(settings, parts.database)
    stage = Identity(parts.database, parts.producer, parts.workspaces, orders, Tombstones.load(settings))
    return [host(stage, settings, parts.producer, parts.incidents, parts.clock)]


def _router(settings: Settings) -> Sequence[Service]:
    from router.worker import Router

    parts = Parts(settings)
    stage = Router(
        parts.database, ConfigStore(parts.database), parts.workspaces, parts.clock, settings.reply_secrets
    )
    return [host(stage, settings, parts.producer, parts.incidents, parts.clock)]


def _media(settings: Settings) -> Sequence[Service]:
    from ingest.media.download import Downloader
    from ingest.media.worker import Fetcher, Media
    from runtime.reach import Reach

    parts = Parts(settings)
    downloader = Downloader(Reach(settings.media_origins), settings.media_bytes)
    fetcher = Fetcher(settings, Database(settings.postgres), parts.archive, parts.clock, downloader)
    return [host(Media(parts.database), settings, parts.producer, parts.incidents, parts.clock), fetcher]


def _relay(settings: Settings) -> Sequence[Service]:
    from sinks.relay import Relay
    from sinks.webhooks import Webhooks

    clock = Clock(settings.clock)
    webhooks = Webhooks(Database(settings.postgres_system, max_size=1), settings, clock)
    return [Relay(settings.postgres_system, Producer(settings.kafka), clock), webhooks]


def _senders(settings: Settings) -> Sequence[Service]:
    from sinks.senders.worker import Dispatcher, Outgoing

    parts = Parts(settings)
    dispatcher = Dispatcher(settings, Database(settings.postgres), parts.clock)
    stage = Outgoing(parts.database)
    return [host(stage, settings, parts.producer, parts.incidents, parts.clock), dispatcher]


def _timers(settings: Settings) -> Sequence[Service]:
    from frontdesk.timers import services

    return services(settings)


def _desk(settings: Settings) -> Sequence[Service]:
    from desk.service import DeskService

    return [DeskService(settings)]


class Parts:
    """What every stage process holds."""

    def __init__(self, settings: Settings) -> None:
        self.clock = Clock(settings.clock)
        self.database = Database(settings.postgres)
        self.producer = Producer(settings.kafka)
        self.incidents = PostgresIncidents(self.database, self.clock)
        self.workspaces = WorkspaceCache(ConfigStore(self.database), self.clock)
        self.archive = archive_of(settings)


PROCESSES = {
    process.name: process
    for process in (
        Process("gateway", "forms and webhooks over HTTP", _gateway),
        Process("mail", "IMAP mailboxes", _mail, lambda s: bool(s.mailboxes)),
        Process("smtp", "takes mail by SMTP", _smtp, lambda s: s.smtp_port > 0),
        Process("telegram", "Telegram long poll", _telegram, lambda s: any(bot.poll for bot in s.bots)),
        Process("identity", "links messages to customers", _identity),
        Process("router", "decides and writes tickets", _router),
        Process(
            "media",
            "fetches attachments from their providers",
            _media,
            lambda s: bool(s.bots or s.hooks),
        ),
        Process("relay", "publishes the outbox, calls webhooks", _relay),
        Process("senders", "hands over mail that leaves", _senders, lambda s: bool(s.smarthosts)),
        Process("timers", "verifier, audit sealer, dead-letter feeder, gauges, shifts and leases", _timers),
        Process("desk", "HTTP API for agents and dashboards", _desk),
    )
}
