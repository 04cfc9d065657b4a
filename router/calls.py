"""Telephone calls that nobody took: who calls again within the hour waits no longer. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from contracts.inbound import InboundMessage
from contracts.ticket import Priority
from router.deadlines import starts_at
from router.facts import MissedCall, is_unanswered

REPEATED = timedelta(hours=1)

_LADDER: tuple[Priority, ...] = ("low", "medium", "high", "urgent")


def is_repeated(message: InboundMessage, missed: Sequence[MissedCall]) -> bool:
    """Whether it is a call that nobody took, and another one of its ticket's lies within the hour. The events of one call are
    one."""
    if not is_unanswered(message):
        return False
    at = starts_at(message)
    return any(call.call != message.target and abs(at - call.at) <= REPEATED for call in missed)


def raised(priority: Priority) -> Priority:
    """One step up."""
    return _LADDER[min(_LADDER.index(priority) + 1, len(_LADDER) - 1)]
