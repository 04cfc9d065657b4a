"""W3C Trace Context (https://www.w3.org/TR/trace-context/), by hand: one id from the door to the ticket event."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

HEADER = "traceparent"

_FORM = re.compile(r"^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}\Z")


def new() -> str:
    """A traceparent that starts a trace."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def current_or_new(header: str | None) -> str:
    """The caller's trace, continued by a span of ours; a new one when the header is absent or malformed."""
    match = _FORM.match(header or "")
    return f"00-{match[1]}-{secrets.token_hex(8)}-01" if match else new()


def trace_id(traceparent: str | None) -> str | None:
    """The 32 hex digits that logs carry."""
    match = _FORM.match(traceparent or "")
    return match[1] if match else None


def headers(traceparent: str | None) -> tuple[tuple[str, bytes], ...]:
    """As Kafka record headers."""
    return ((HEADER, traceparent.encode()),) if traceparent else ()


def of_headers(record_headers: Iterable[tuple[str, bytes]]) -> str | None:
    """The traceparent of a record, if it carries one."""
    for name, value in record_headers:
        if name == HEADER:
            return value.decode("ascii", "replace")
    return None
