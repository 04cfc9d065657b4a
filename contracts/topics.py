"""TOPICS: every topic, once. Names, payloads, keys, partitions, retention, who writes and who reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contracts.base import Payload
from contracts.customer import CustomerEvent
from contracts.deadletter import DeadLetter
from contracts.inbound import InboundMessage
from contracts.notification import Notification
from contracts.outbound import OutboundMessage
from contracts.resolved import ResolvedMessage
from contracts.ticket import TicketEvent

DAY_MS = 24 * 60 * 60 * 1000
COMPACTED_WITHIN_DAYS = 7
"""How long after the retention an overtaken record of a compacted topic is there at most."""
MAX_RECORD_BYTES = 512 * 1024
MAX_INBOUND_BYTES = 384 * 1024


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. The major version is in its name: within it only optional fields are added."""

    name: str
    payload: type[Payload]
    key: str
    retention_days: int
    written_by: str
    read_by: str
    compacted: bool = False
    partitions: int = 12
    """In production; the embedded broker has 4, tests what they need."""
    behind: str = ""
    """The topic of the same keys that goes before this one, for who reads both."""
    gathered: bool = False
    """Its records come one by one, so that whoever reads them has the broker gather them. What a stage or the relay passes on
    comes in batches as it is."""

    @property
    def max_bytes(self) -> int:
        """A dead letter carries a whole record of another topic once more, in base64."""
        return MAX_RECORD_BYTES * 2 if self.payload is DeadLetter else MAX_RECORD_BYTES

    def config(self) -> dict[str, Any]:
        """Broker settings, as `CreateTopics` takes them."""
        retention = str(self.retention_days * DAY_MS)
        if self.compacted:
            # Compaction only begins after the retention: until then a reader sees every version. And it has to come:
            # by default what is small or quiet is never compacted.
            return {
                "cleanup.policy": "compact",
                "min.compaction.lag.ms": retention,
                "max.compaction.lag.ms": str((self.retention_days + COMPACTED_WITHIN_DAYS) * DAY_MS),
                "segment.ms": str(DAY_MS),
                "delete.retention.ms": str(7 * DAY_MS),
                "max.message.bytes": str(self.max_bytes),
            }
        return {
            "cleanup.policy": "delete",
            "retention.ms": retention,
            # What is deleted is whole segments: one of a week would keep its first record for a week longer.
            "segment.ms": str(DAY_MS),
            "max.message.bytes": str(self.max_bytes),
        }


INBOUND = Topic(
    "frontdesk.inbound.v1",
    InboundMessage,
    key="workspace, channel, counterpart handle",
    retention_days=14,
    written_by="gateway, pollers; relay, for proofs",
    read_by="identity, media",
    gathered=True,
)
OVERFLOW = Topic(
    "frontdesk.inbound.overflow.v1",
    InboundMessage,
    key="workspace, channel, counterpart handle",
    retention_days=14,
    written_by="intake, for a sender over its rate",
    read_by="identity, at lower priority; media",
    behind=INBOUND.name,
    gathered=True,
)
RESOLVED = Topic(
    "frontdesk.resolved.v1",
    ResolvedMessage,
    key="workspace, customer",
    retention_days=14,
    written_by="identity",
    read_by="router",
)
TICKET = Topic(
    "frontdesk.ticket.v1",
    TicketEvent,
    key="ticket",
    retention_days=14,
    written_by="relay",
    read_by="other services",
    compacted=True,
)
CUSTOMER = Topic(
    "frontdesk.customer.v1",
    CustomerEvent,
    key="customer",
    retention_days=14,
    written_by="relay",
    read_by="other services",
    compacted=True,
)
OUTBOUND = Topic(
    "frontdesk.outbound.v1",
    OutboundMessage,
    key="ticket",
    retention_days=14,
    written_by="relay",
    read_by="senders, gateway",
)


NOTIFICATION = Topic(
    "frontdesk.notification.v1",
    Notification,
    key="ticket",
    retention_days=3,
    written_by="relay",
    read_by="other services",
)


def _dlq(stage: str) -> Topic:
    return Topic(
        f"frontdesk.{stage}.dlq.v1",
        DeadLetter,
        key="key of the record that failed",
        retention_days=28,
        written_by=stage,
        read_by="the dead-letter feeder, operators",
        partitions=4,
    )


DEAD_LETTERS = {stage: _dlq(stage) for stage in ("ingest", "identity", "router", "sinks")}

TOPICS: tuple[Topic, ...] = (
    *(INBOUND, OVERFLOW, RESOLVED, TICKET, CUSTOMER, OUTBOUND, NOTIFICATION),
    *DEAD_LETTERS.values(),
)

BY_NAME = {topic.name: topic for topic in TOPICS}
