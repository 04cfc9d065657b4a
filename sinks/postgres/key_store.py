"""API keys. The store never sees a secret, only its hash."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from runtime.postgres import Connection, Database
from sinks.postgres.sql import Answer, queries


class StoredKey(NamedTuple):
    workspace: UUID
    agent: str
    role: str
    secret_sha256: bytes


class ListedKey(NamedTuple):
    """What may be shown of a key. `revoked_at` is null while it is in force."""

    key_id: str
    agent: str
    role: str
    revoked_at: datetime | None


class KeyStore:
    """Keys of the workspaces that a process serves."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, key_id: str, key: StoredKey) -> None:
        """Stores a new key."""
        parameters = key._asdict() | {"key_id": key_id}
        async with self._database.transaction([key.workspace]) as connection:
            await connection.execute(queries("keys")["insert_key"], parameters)

    async def find(self, workspaces: Sequence[UUID], key_id: str) -> StoredKey | None:
        """The key with this id, unless it is revoked."""
        parameters = {"workspaces": list(workspaces), "key_id": key_id}
        return _key(await self._database.look_up(workspaces, queries("keys")["find_key"], parameters))

    async def revoke(self, workspace: UUID, key_id: str, now: datetime) -> bool:
        """True if there was such a key."""
        parameters = {"workspace": workspace, "key_id": key_id, "now": now}
        return bool(await self._database.fetch([workspace], queries("keys")["revoke_key"], parameters))

    async def listed(self, workspace: UUID) -> list[ListedKey]:
        """Every key, those in force first."""
        rows = await self._database.fetch([workspace], queries("keys")["list_keys"], {"workspace": workspace})
        return [ListedKey(*row) for row in rows]


async def still_in_force(connection: Connection, key_id: str, key: StoredKey) -> Answer[bool]:
    """Whether a key that was found before would be found in this transaction."""
    parameters = {"workspaces": [key.workspace], "key_id": key_id}
    rows = await connection.execute(queries("keys")["find_key"], parameters)

    async def answer() -> bool:
        return _key(await rows.fetchall()) == key

    return answer


def _key(rows: Sequence[tuple[Any, ...]]) -> StoredKey | None:
    return StoredKey(*rows[0]) if rows else None
