"""Logs: one JSON object a line on stderr (readable text on a terminal). Fields are allow-listed; values are redacted."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# What may be logged. Anything else is named, without its value: a new field is a decision, not an accident.
ALLOWED = frozenset(
    {
        *(
            "event",
            "level",
            "ts",
            "logger",
            "process",
            "stage",
            "channel",
            "account",
            "topic",
            "partition",
            "offset",
        ),
        *(
            "offsets",
            "count",
            "reason",
            "error",
            "code",
            "trace_id",
            "message_id",
            "ticket_id",
            "version",
            "seconds",
        ),
        *(
            "attempt",
            "residual",
            "port",
            "path",
            "status",
            "method",
            "outcome",
            "shard",
            "folder",
            "traceback",
        ),
        *("accepted", "stored", "duplicates", "parked", "suppressed", "pending", "spooled", "missing"),
        *("dependency", "service", "seal", "rows", "root"),
    }
)

_SECRETS = (
    (re.compile(r"(//[^/:@\s]+:)[^@/\s]+@"), r"\1***@"),  # the password of a URL or DSN
    (re.compile(r"\b\d{6,12}:[A-Za-z0-9_-]{30,}"), "***"),  # a Telegram bot token
    (re.compile(r"\bfd_[A-Za-z0-9]+_[A-Za-z0-9_-]+"), "fd_***"),  # an API key
    (re.compile(r"(?i)\b(password|secret|token|authorization)(\W{1,3})\S+"), r"\1\2***"),
    (re.compile(r"[\w.+%-]+@[\w-]+\.[\w.-]+"), "<email>"),
    (re.compile(r"\+\d{8,15}\b"), "<phone>"),
)


def redact(text: str) -> str:
    """The text without secrets, addresses and telephone numbers."""
    for pattern, replacement in _SECRETS:
        text = pattern.sub(replacement, text)
    return text


def _guard(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    withheld = sorted(set(event) - ALLOWED)
    kept: dict[str, Any] = {key: _redacted(event[key]) for key in event if key in ALLOWED}
    if withheld:
        kept["withheld"] = ",".join(withheld)
    return kept


def _redacted(value: Any) -> Any:
    return redact(value) if isinstance(value, str) else value


class _Bridge(logging.Handler):
    """Libraries log through the standard library: their lines get the same form and the same redaction."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(record.name)
        fields: dict[str, Any] = {"logger": record.name}
        if record.exc_info and record.exc_info[0]:
            fields["error"] = record.exc_info[0].__name__
        log.log(record.levelno, record.getMessage(), **fields)


def configure(process: str, level: str = "info") -> None:
    """Called once at the start of a process."""
    number = logging.getLevelNamesMapping().get(level.upper(), logging.INFO)
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", key="ts", utc=True),
            _guard,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    root = logging.getLogger()
    root.handlers = [_Bridge()]
    root.setLevel(logging.WARNING)
