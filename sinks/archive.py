"""The archive of large bytes, by content: what is stored is named after its sha256, so writing it twice is free."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from contracts.errors import Transient
from runtime.files import sync_folder, write_durably
from runtime.settings import Settings, SettingsError

REF = "sha256:"


class Archive(Protocol):
    """Where bytes are kept. All processes of an installation see the same ones. Every method raises `Transient` when the
    archive cannot be reached or refuses."""

    async def put(self, blobs: Mapping[str, bytes]) -> None:
        """Stores bytes by their hash. Returns when they are durable: nothing may be acknowledged before."""

    async def get(self, ref: str) -> bytes:
        """The bytes of a `sha256:…` reference. Raises `FileNotFoundError`."""

    async def put_since(self, digest: str) -> float | None:
        """Seconds since the bytes were last put; None when they are not there."""

    async def remove(self, digest: str) -> None:
        """Deletes bytes that nobody refers to. Nothing happens when they are not there."""


def archive_of(settings: Settings) -> Archive:
    """The bucket of these settings, or else their folder. Raises `SettingsError` when the bucket needs a package that is
    not installed."""
    if settings.bucket is None:
        return FolderArchive(settings.archive)
    try:
        from sinks.bucket import BucketArchive
    except ImportError:
        raise SettingsError(
            "FRONTDESK_BUCKET: needs the package obstore; install frontdesk with the extra `s3`"
        ) from None
    return BucketArchive(settings.bucket)


class FolderArchive:
    """A folder. A returned `put` means the bytes are on disk (fsync), under their final name."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, blobs: Mapping[str, bytes]) -> None:
        if not blobs:
            return
        try:
            await asyncio.to_thread(self._write_all, blobs)
        except OSError as error:
            raise Transient(f"archive: {error.strerror}") from error

    async def get(self, ref: str) -> bytes:
        try:
            return await asyncio.to_thread(self._path(ref.removeprefix(REF)).read_bytes)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise Transient(f"archive: {error.strerror}") from error

    async def put_since(self, digest: str) -> float | None:
        try:
            found = await asyncio.to_thread(self._path(digest).stat)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Transient(f"archive: {error.strerror}") from error
        return max(0.0, time.time() - found.st_mtime)

    async def remove(self, digest: str) -> None:
        try:
            await asyncio.to_thread(self._path(digest).unlink, missing_ok=True)
        except OSError as error:
            raise Transient(f"archive: {error.strerror}") from error

    def _write_all(self, blobs: Mapping[str, bytes]) -> None:
        for digest, content in blobs.items():
            path = self._path(digest)
            if path.exists():
                # Whoever removes bytes sees that they are wanted again.
                os.utime(path)
                continue
            if not path.parent.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                sync_folder(self._folder)
            write_durably(path, content)

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest
