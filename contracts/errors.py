"""Failures that code may name. Everything else that is raised is a fault of ours and ends the process."""

from __future__ import annotations


class FrontdeskError(Exception):
    """Base of all but `Misconfigured`; its text is safe to log and to show (it quotes no message content)."""


class Transient(FrontdeskError):
    """A dependency is away or asked to wait: the same call may succeed later. Retried in place, never skipped."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds, when the dependency said so


class Poison(FrontdeskError):
    """These bytes can never be processed by this code: they are parked with their raw bytes."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason  # an identifier from a small set: becomes a metric label
        self.detail = detail


class Refused(FrontdeskError):
    """The door says no (bad signature, too large, unknown form): nothing is stored, the sender is told."""

    def __init__(self, reason: str, detail: str = "", status: int = 400, field: str | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.status = status  # the HTTP status that tells it
        self.field = field  # the offending field of the request, if there is one


class Misconfigured(ValueError):
    """Settings or a workspace that cannot be used: the text names what is wrong, where, and what to do."""
