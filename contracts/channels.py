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


_DAY = timedelta(hours=24)

LIMITS: dict[str, Limits] = {
    "email": Limits(body=35 << 20),
    "webform": Limits(body=26 << 20, text=20_000, sender_retries=False),
    "chat": Limits(body=64 << 10, text=8000, sender_retries=False),
    "telegram": Limits(body=1 << 20, text=4096),
    "whatsapp": Limits(body=3 << 20, text=4096, reply_window=_DAY),
    "messenger": Limits(body=3 << 20, text=2000, reply_window=_DAY),
    "instagram": Limits(body=3 << 20, text=1000, reply_window=_DAY),
    "facebook_wall": Limits(body=3 << 20, text=8000),
    "viber": Limits(body=1 << 20, text=7000),
    # X promises no second delivery, Twilio makes none after an answer, and a telephone exchange need not know how.
    "x": Limits(body=1 << 20, text=10_000, sender_retries=False),
    "sms": Limits(body=1 << 20, text=1600, sender_retries=False),
    "call": Limits(body=1 << 20, sender_retries=False),
    "rating": Limits(body=64 << 10, sender_retries=False),
}

SOURCES: dict[str, tuple[str, ...]] = {
    "facebook": ("messenger", "facebook_wall"),
    "twitter": ("x",),
    "mail": ("email",),
    "form": ("webform",),
    "phone": ("call",),
}
"""What people call a source -> its channels. Every other source is the channel of that name."""
