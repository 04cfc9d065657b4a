"""Hosts run stages: `faust` (the default), `aiokafka` (the yardstick and fall-back), `memory` (unit tests).

A host fetches records, hands them to the guard, and moves the offset only after the guard has returned.
"""

from __future__ import annotations

from typing import Protocol

from runtime.clock import Clock
from runtime.guard import Guard
from runtime.health import Health
from runtime.incidents import Incidents
from runtime.kafka import Producer
from runtime.settings import Settings
from runtime.stage import P, Stage


class Host(Protocol):
    """A service of a process (`runtime/process.py`)."""

    async def run(self) -> None:
        """Processes until `stop`: finishes the batch in flight, commits, leaves the group."""

    async def stop(self) -> None: ...

    def report(self, health: Health) -> None: ...


def host(stage: Stage[P], settings: Settings, producer: Producer, incidents: Incidents, clock: Clock) -> Host:
    """The host that the settings name. Imported only then: nobody pays for the other."""
    guard = Guard(stage, producer, incidents, clock)
    if settings.host == "faust":
        from runtime.hosts.faust import FaustHost

        return FaustHost(stage, settings, guard, incidents)
    from runtime.hosts.aiokafka import AiokafkaHost

    return AiokafkaHost(stage, settings, guard, incidents)
