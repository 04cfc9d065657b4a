"""What a run prints: one JSON line a figure on standard output, everything else on standard error."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections.abc import Collection, Sequence

import msgspec


class Report:
    """Prints the figures that are wanted; the others are only mentioned."""

    def __init__(self, wanted: Collection[str]) -> None:
        self._wanted = wanted
        self._began = time.monotonic()

    def figure(self, name: str, value: float, unit: str) -> None:
        """One figure. `unit`: `1/s`, `ms`, `us`, `cores`, `MB`, `sockets` or `ratio`."""
        if name in self._wanted:
            line = msgspec.json.encode({"name": name, "value": round(value, 3), "unit": unit})
            print(line.decode(), flush=True)
        else:
            self.note(f"{name}: {value:.3f} {unit}")

    def note(self, text: str) -> None:
        """Progress, for a person."""
        print(f"{time.monotonic() - self._began:6.1f} s  {text}", file=sys.stderr, flush=True)

    def median(self, name: str, values: Sequence[float]) -> float:
        """The median of repeated runs. Their range is noted, since a shared machine scatters."""
        middle = statistics.median(values)
        self.note(f"{name}: {min(values):.2f} / {middle:.2f} / {max(values):.2f} of {len(values)}")
        return middle


def percentile(values: Collection[float], share: float) -> float:
    """The least value that this share of the values does not exceed."""
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]
