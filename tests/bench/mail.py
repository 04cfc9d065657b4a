"""Mails with full treatment: parsed, quotes and signature apart, HTML made harmless, evidence of threading. One core."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from uuid import UUID

from contracts.errors import Poison
from contracts.reply_tokens import workspace_key
from ingest.channel import Raw
from ingest.channels.email import CHANNEL
from tests.bench.workers import System
from tests.laws.mail_mutants import originals

RUNS = 5
LARGE = 64 << 10
WORKSPACE = UUID(int=1)
OPTIONS = {"address": "support@shop.example", "authserv": "mx.shop.example"}


def measure(system: System) -> None:
    """The median of several runs over real mails, large ones left out: their size would be what is measured."""
    mails = [mail for mail in originals() if len(mail) < LARGE]
    mails = mails[:: 10 if system.quick else 1]
    system.report.note(f"{len(mails)} mails of {sum(map(len, mails)) // len(mails)} bytes on average")
    rates = [_rate(mails) for _ in range(1 if system.quick else RUNS)]
    system.report.figure("mails_per_s", system.report.median("mails 1/s", rates), "1/s")


def _rate(mails: list[bytes]) -> float:
    began, now = time.perf_counter(), datetime.now(UTC)
    keys = (workspace_key(b"bench", WORKSPACE),)
    for mail in mails:
        raw = Raw(
            body=mail,
            workspace=WORKSPACE,
            account="support",
            received_at=now,
            options=OPTIONS,
            reply_keys=keys,
        )
        try:
            CHANNEL.normalise(raw)
        except Poison:
            continue
    return len(mails) / (time.perf_counter() - began)
