"""Everything that is stored about a customer, for the person to have: one JSON document, and the files beside it."""

from __future__ import annotations

import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from uuid import UUID, uuid4

import msgspec

from contracts import ids
from desk.customer_names import find, subject_of
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.archive import Archive
from sinks.postgres import exporting, identity_store
from sinks.postgres.exporting import StoredFile
from sinks.postgres.identity_rows import EventRow

DOCUMENT, FOLDER = "customer.json", "files"
_IN_MEMORY, _PIECE = 8 << 20, 64 << 10


class ExportedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a message. `path`: where it lies beside the document; null: the archive has lost it."""

    sha256: str
    message: UUID
    path: str | None


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """The document. Lists are as `docs/privacy.md` has them; times are UTC."""

    customer: UUID
    workspace: UUID
    exported_at: str
    sections: dict[str, list[msgspec.Raw]]
    files: list[ExportedFile]

    def encoded(self) -> bytes:
        """The document as JSON, the sections beside the rest."""
        plain = {name: getattr(self, name) for name in ("customer", "workspace", "exported_at", "files")}
        return msgspec.json.encode(plain | self.sections)


class Exporter:
    """The desk's use case. Customers are named as in `desk/customer_names.py`."""

    def __init__(self, database: Database, clock: Clock, archive: Archive) -> None:
        self._database = database
        self._clock = clock
        self._archive = archive

    async def export(self, workspace: UUID, actor: str, named: str) -> Export:
        """What is stored about the customer and everybody merged into it. That it was asked for, and by whom, stays in the
        history. Raises `Refused` with 404."""
        now = self._clock.now()
        async with self._database.transaction([workspace]) as connection:
            root = (await find(connection, workspace, named)).root
            subject = await subject_of(connection, workspace, root)
            found = await exporting.sections(connection, subject)
            stored = await exporting.files(connection, subject)
            event = ids.identity_event_id(uuid4(), "exported", "customer", str(root))
            await identity_store.write(
                connection,
                (),
                [EventRow(workspace, event, "exported", root, None, None, None, now, actor=actor)],
            )
        return Export(
            customer=root,
            workspace=workspace,
            exported_at=now.isoformat(),
            sections=found,
            files=[await self._file(one) for one in stored],
        )

    async def contents(self, export: Export) -> AsyncIterator[tuple[str, bytes]]:
        """Path and bytes of the document and of each file."""
        yield DOCUMENT, export.encoded()
        for file in export.files:
            if file.path:
                yield file.path, await self._archive.get(file.sha256)

    async def zipped(self, export: Export) -> AsyncIterator[bytes]:
        """All of it as a zip, in pieces. A large one waits on the disk."""
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                async for path, content in self.contents(export):
                    archive.writestr(path, content)
            file.seek(0)
            while piece := file.read(_PIECE):
                yield piece

    async def write_folder(self, export: Export, folder: Path) -> None:
        """All of it as files."""
        (folder / FOLDER).mkdir(parents=True, exist_ok=True)
        async for path, content in self.contents(export):
            (folder / path).write_bytes(content)

    async def _file(self, stored: StoredFile) -> ExportedFile:
        there = await self._archive.put_since(stored.sha256) is not None
        path = f"{FOLDER}/{stored.sha256}" if there else None
        return ExportedFile(sha256=stored.sha256, message=stored.message, path=path)
