"""Keys that an installation of one machine makes for itself, and keeps."""

from __future__ import annotations

import os
from pathlib import Path

_BYTES = 32


def kept_key(path: Path) -> str:
    """The hex of 32 random bytes in this file, made at the first call and readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(os.urandom(_BYTES).hex())
        file.flush()
        os.fsync(file.fileno())
    return path.read_text().strip()
