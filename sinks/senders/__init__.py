"""Channels out: one file each, listed here once. A sender transports a finished message; it decides nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from runtime.settings import Settings
from sinks.senders.email import Mail
from sinks.senders.transport import Sender

SENDERS: Mapping[str, Callable[[Settings], Sender]] = {"email": Mail}
