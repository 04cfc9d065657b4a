"""When a partition has seen too many failures to go on: a bad deployment must not turn a topic into dead letters."""

from __future__ import annotations

from collections import deque

_WINDOW = 2_000
_LEAST_SEEN = 200
_SHARE = 0.05
_IN_A_ROW = 200


class Fuse:
    """Counts the outcomes of one partition, in this process's life."""

    def __init__(self) -> None:
        self._recent: deque[bool] = deque(maxlen=_WINDOW)
        self._failed = 0
        self._in_a_row = 0

    def count(self, failed: bool) -> str | None:
        """Notes one outcome; returns why the fuse blows, if it does."""
        if len(self._recent) == _WINDOW:
            self._failed -= self._recent[0]
        self._recent.append(failed)
        self._failed += failed
        self._in_a_row = self._in_a_row + 1 if failed else 0
        if self._in_a_row >= _IN_A_ROW:
            return f"{self._in_a_row} failures in a row"
        if len(self._recent) >= _LEAST_SEEN and self._failed > _SHARE * len(self._recent):
            return f"{self._failed} failures of the last {len(self._recent)}"
        return None
