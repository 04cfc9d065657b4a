"""How far a long command has come, so that it goes on there after Ctrl-C. Messages sent twice are duplicates anyway."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from contracts.ids import sha256_hex


class Checkpoint:
    """A counter in a file that is named after what the command was asked to do."""

    def __init__(self, folder: Path, asked: Sequence[str], restart: bool = False) -> None:
        self._path = folder / sha256_hex("\0".join(asked).encode())[:16]
        if restart:
            self._path.unlink(missing_ok=True)
        self.done = int(self._path.read_text()) if self._path.exists() else 0

    def advance(self, count: int) -> None:
        self.done += count
        self._path.parent.mkdir(parents=True, exist_ok=True)
        partial = self._path.with_suffix(".tmp")
        partial.write_text(str(self.done))
        partial.replace(self._path)

    def finish(self) -> None:
        """The next run starts from the beginning."""
        self._path.unlink(missing_ok=True)
