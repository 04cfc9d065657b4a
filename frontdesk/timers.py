"""The `timers` process: what runs by the clock rather than by a message."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from contracts.ids import workspace_id
from identity.reexamination import Reexamination
from ingest.chat_sessions import ChatSessions
from ingest.intake import Intake
from ingest.spool import pending
from router.outlook import Outlook
from router.rule_timers import RuleTimers
from router.sweep import Sweep
from router.timers import DeadlineTimers
from runtime.clock import Clock
from runtime.hosts import host
from runtime.kafka import Producer
from runtime.postgres import Database
from runtime.process import Service
from runtime.settings import Settings
from sinks.archive import archive_of
from sinks.audit import Sealer
from sinks.deadletters import Feeder
from sinks.gauges import Gauges
from sinks.postgres.incidents import PostgresIncidents
from sinks.sweeper import Sweeper
from sinks.verify import Verifier


def services(settings: Settings) -> Sequence[Service]:
    """Verifier, sweeper of the archive, audit sealer, dead-letter feeder, gauges, deadlines, rules by time, the sessions of
    chats, shared handles, the ends of shifts and leases: all but one with the role that sees every workspace."""
    clock = Clock(settings.clock)
    database = Database(settings.postgres_system)
    producer = Producer(settings.kafka)
    feeder = host(Feeder(database), settings, producer, PostgresIncidents(database, clock), clock)
    workspaces = [workspace_id(slug) for slug in settings.workspaces]
    chats = Producer(settings.kafka)
    archive, spooled = archive_of(settings), partial(pending, settings.spool)
    intake = Intake(chats, archive, None, clock)
    return [
        feeder,
        Verifier(settings, database, spooled),
        Sweeper(settings, database, archive, spooled),
        Sealer(settings, database, clock),
        Gauges(database, clock),
        Outlook(database, clock),
        DeadlineTimers(database, clock),
        RuleTimers(database, clock),
        ChatSessions(Database(settings.postgres_system, max_size=1), intake, chats, clock),
        Reexamination(Database(settings.postgres, max_size=1), clock, workspaces),
        Sweep(Database(settings.postgres_system, max_size=1), clock, workspaces),
    ]
