"""DeadLetter: a record that could not be processed, with its bytes. Payload of `frontdesk.<stage>.dlq.v1`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.base import Payload
from contracts.resolved import Position


class DeadLetter(Payload, frozen=True, kw_only=True):
    """`raw` is what the stage read. `position` is where; null for the door, whose input lies on no topic."""

    dead_letter_id: UUID
    """Deterministic: the same failure of the same record is one dead letter however often it is written."""
    stage: Literal["ingest", "identity", "router", "sinks"]
    reason: str
    raw: bytes
    occurred_at: datetime
    detail: str = ""
    raw_ref: str | None = None
    """Where the archive has the bytes when they were too many for a record; `raw` is then empty."""
    disposition: Literal["parked", "suppressed"] = "parked"
    """`suppressed`: kept and listed, but held back on purpose (a spam hold), not failed."""
    position: Position | None = None
    source: Position | None = None
    """The inbound record it descends from: the one that `verify` counts."""
    workspace: UUID | None = None
    key: bytes | None = None
    channel: str | None = None
    account: str | None = None
    headers: dict[str, str] = {}
    traceback_sha256: str | None = None
