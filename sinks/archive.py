"""The archive of large bytes, by content: a file is named after its sha256, so writing it twice is free."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from contracts.errors import Transient
from runtime.files import sync_folder, write_durably

REF = "sha256:"


class Archive:
    """A folder. A returned `put` means the bytes are on disk (fsync), under their final name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, blobs: Mapping[str, bytes]) -> None:
        """Stores bytes by their hash. Raises `Transient` when the disk refuses: nothing may be acknowledged then."""
        if not blobs:
            return
        try:
            await asyncio.to_thread(self._write_all, blobs)
        except OSError as error:
            raise Transient(f"archive: {error.strerror}") from error

    async def get(self, ref: str) -> bytes:
        """The bytes of a `sha256:…` reference. Raises `FileNotFoundError`."""
        return await asyncio.to_thread(self._path(ref.removeprefix(REF)).read_bytes)

    def _write_all(self, blobs: Mapping[str, bytes]) -> None:
        for digest, content in blobs.items():
            path = self._path(digest)
            if path.exists():
                continue
            if not path.parent.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                sync_folder(self._folder)
            write_durably(path, content)

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest
