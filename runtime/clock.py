"""The clock of a process. Decisions take `now` from here, never from Postgres; time-outs are monotonic."""

from __future__ import annotations

from datetime import UTC, datetime


class Clock:
    """Aware UTC time. `frozen` (the setting `FRONTDESK_CLOCK`) stops it, for tests only."""

    def __init__(self, frozen: datetime | None = None) -> None:
        self._frozen = frozen.astimezone(UTC) if frozen else None

    def now(self) -> datetime:
        return self._frozen or datetime.now(UTC)
