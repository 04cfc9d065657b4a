"""The relay: outbox rows become records of the public topics, in order per aggregate, at least once.

Produce, then delete: after a crash in between the same row goes out again, with the same `ce_id` and the same bytes, and
readers drop it. Other relays may run beside it; each shard belongs to one of them (`sinks/postgres/outbox.py`).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC

import structlog

from contracts.errors import Transient
from contracts.topics import CUSTOMER, INBOUND, NOTIFICATION, OUTBOUND, TICKET
from runtime import metrics
from runtime.clock import Clock
from runtime.failpoints import failpoint
from runtime.health import Health, Pulse
from runtime.kafka import Outgoing, Producer
from sinks.postgres.outbox import Outbox, OutboxEvent, relay_session

log = structlog.get_logger(__name__)

_TOPIC_OF = {
    "ticket": TICKET.name,
    "customer": CUSTOMER.name,
    "outbound": OUTBOUND.name,
    "proof": INBOUND.name,
    "notification": NOTIFICATION.name,
}

# A notification that is lost costs no more than this.
_POLL_SECONDS = 0.5
_RETRY_SECONDS = 0.5
# Longer than every time-out of Postgres and Kafka that a round may meet.
_STILL_SECONDS = 60.0


class Relay:
    """A service: `run` works until `stop`, and stops the producer, which is its own. `system_db_dsn` leads to Postgres
    itself, not to a transaction pooler."""

    def __init__(self, system_db_dsn: str, producer: Producer, clock: Clock) -> None:
        self._dsn = system_db_dsn
        self._producer = producer
        self._clock = clock
        self._stopping = asyncio.Event()
        self._pulse = Pulse(_STILL_SECONDS)

    def report(self, health: Health) -> None:
        """Live means that rounds come to their end."""
        health.live_checks["relay moves"] = self._pulse.check

    async def run(self) -> None:
        """Waits out an unreachable Postgres or broker. Anything else that fails ends it: a row is never skipped."""
        try:
            while not self._stopping.is_set():
                try:
                    async with relay_session(self._dsn) as outbox:
                        await self._serve(outbox)
                except Transient as error:
                    await self._pause("postgres", error)
        finally:
            await self._producer.stop()

    async def stop(self) -> None:
        """Asks `run` to return after the round it is in."""
        self._stopping.set()

    async def _serve(self, outbox: Outbox) -> None:
        while not self._stopping.is_set():
            self._pulse.beat()
            await outbox.balance()
            rows = await outbox.unpublished()
            if not rows:
                await outbox.wait(_POLL_SECONDS)
            elif await self._send(rows):
                failpoint("relay.after_produce")
                await outbox.published(rows)
                self._count(rows)

    async def _send(self, rows: Sequence[OutboxEvent]) -> bool:
        """True when all are acknowledged. Retries in place, holding the shards: nobody may overtake what is in flight."""
        records = [_record(row) for row in rows]
        while not self._stopping.is_set():
            try:
                await self._producer.send_all(records)
                return True
            except Transient as error:
                await self._pause("kafka", error)
        return False

    async def _pause(self, dependency: str, error: Transient) -> None:
        self._pulse.beat()
        log.warning("relay waits", dependency=dependency, error=str(error))
        metrics.retries.labels("relay", dependency).inc()
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), error.retry_after or _RETRY_SECONDS)

    def _count(self, rows: Sequence[OutboxEvent]) -> None:
        for kind, count in Counter(row.aggregatetype for row in rows).items():
            metrics.outbox_published.labels(kind, "published").inc(count)
        oldest = min(row.created_at for row in rows)
        metrics.outbox_delay.observe(max(0.0, (self._clock.now() - oldest).total_seconds()))


def _record(row: OutboxEvent) -> Outgoing:
    """Keyed by the aggregate; CloudEvents 1.0 in binary mode. Everything comes from the row: a repeat is equal."""
    headers = [
        ("ce_specversion", "1.0"),
        ("ce_id", str(row.id)),
        ("ce_type", f"org.frontdesk.{row.aggregatetype}.{row.type}.v1"),
        ("ce_source", f"/frontdesk/workspaces/{row.workspace}"),
        ("ce_subject", str(row.aggregateid)),
        ("ce_time", row.created_at.astimezone(UTC).isoformat().replace("+00:00", "Z")),
        ("content-type", "application/json"),
    ]
    if row.traceparent:
        headers.append(("traceparent", row.traceparent))
    return Outgoing(
        _TOPIC_OF[row.aggregatetype],
        str(row.aggregateid).encode(),
        row.payload,
        tuple((name, value.encode()) for name, value in headers),
    )
