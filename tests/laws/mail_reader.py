"""Reads damaged mails in a process of its own, which ends at the first that hangs; prints what it took, one JSON line."""

from __future__ import annotations

import faulthandler
import hashlib
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import msgspec

from contracts.base import encode
from contracts.errors import Poison
from contracts.inbound import InboundMessage
from ingest.channel import Raw
from ingest.channels.email import CHANNEL
from tests.laws.mail_mutants import mutants

HANG_SECONDS = 20
OPTIONS = {"address": "support@shop.example", "authserv": "mx.shop.example"}

_read = msgspec.json.Decoder(InboundMessage)


def outcome(body: bytes) -> str:
    """`stored` or `parked`. A message keeps the bytes as they came, and the next stage can read it."""
    raw = Raw(
        body=body,
        workspace=UUID(int=1),
        account="support",
        received_at=datetime(2026, 1, 5, tzinfo=UTC),
        options=OPTIONS,
    )
    try:
        messages, blobs, unread = CHANNEL.normalise(raw)
    except Poison:
        return "parked"
    assert messages
    assert not unread
    for message in messages:
        digest = hashlib.sha256(body).hexdigest()
        assert message.raw is not None
        assert message.raw.sha256 == digest
        assert (message.raw.inline or blobs[digest]) == body
        assert _read.decode(encode(message)) == message
    return "stored"


def main(count: int, seed: int) -> None:
    outcomes = {"stored": 0, "parked": 0}
    slowest = (0.0, "")
    for number, (name, body) in enumerate(mutants(count, seed)):
        faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
        began = time.perf_counter()
        try:
            outcomes[outcome(body)] += 1
        except Exception:
            print(f"mail {number} of seed {seed}: {name}, {len(body)} bytes", file=sys.stderr)
            raise
        slowest = max(slowest, (time.perf_counter() - began, f"{number} {name} {len(body)}"))
        faulthandler.cancel_dump_traceback_later()
    print(json.dumps(outcomes | {"peak_mb": _peak_mb(), "slowest": slowest}))


def _peak_mb() -> int:
    """Of this program alone: `ru_maxrss` begins with what the process that started it had in memory."""
    status = Path("/proc/self/status").read_text().split()
    return int(status[status.index("VmHWM:") + 1]) // 1024


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
