"""The sender's own date, which is a claim and often odd."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_SANE = timedelta(days=1)
_COMMENT = re.compile(r"\([^()]*\)?")


def sent_at(value: str, received_at: datetime) -> tuple[datetime | None, bool]:
    """The Date field as an aware UTC time, and whether it is odd: unreadable, or later than the receipt or long before.

    A date that only lies in the past is kept (a mail can wait), one before 1970 or in the future is not.
    """
    if not value.strip():
        return None, False
    try:
        given = parsedate_to_datetime(_COMMENT.sub("", value)[:200].strip())
        given = (given if given.tzinfo else given.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None, True
    if given.year < 1970 or given > received_at + _SANE:
        return None, True
    return given, received_at - given > _SANE
