"""Per-channel limits and reply windows as data, used when receiving and when answering (channels.md)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

MAX_TEXT_BYTES = 64 * 1024
MAX_INLINE_RAW = 32 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """`body`: bytes of one call or mail. `text`: characters of one answer. `reply_window`: after the last
    message of the customer; null means no limit."""

    body: int = 1 << 20
    text: int | None = None
    reply_window: timedelta | None = None
    sender_retries: bool = True
    """False: nobody sends it again when we answer 503, so the door must spool."""


LIMITS: dict[str, Limits] = {
    "email": Limits(body=35 << 20),
    "webform": Limits(body=26 << 20, text=20_000, sender_retries=False),
    "telegram": Limits(body=1 << 20, text=4096),
}
