"""Tombstones of erased customers. Every function works in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from contracts.errors import Transient
from runtime.postgres import Connection, together
from sinks.postgres.sql import Answer, columns, queries

TombstoneKey = tuple[UUID, str, bytes]
"""Workspace, kind, digest."""

# The key space of our advisory locks (beside the relay's).
_LOCK_CLASS = 0x65726173
_KEY = ("workspaces", "kinds", "digests")


class Tombstone(NamedTuple):
    """`generation`: what the next customer's is raised by. `until`: what was accepted up to then is the erased customer's;
    None: others hold the handle too."""

    generation: int
    until: datetime | None


class HeldValue(NamedTuple):
    """A handle of a customer who is to be erased. `lost`: how many of those erased with it had lost it before;
    `elsewhere`: whether somebody else has it."""

    kind: str
    value: str
    customer: UUID
    state: str
    lost: int
    elsewhere: bool


async def find(
    connection: Connection, workspaces: Sequence[UUID], fingerprint: bytes, keys: Iterable[TombstoneKey]
) -> Answer[dict[TombstoneKey, Tombstone]]:
    """Which of these are erased. From here to the end of the transaction nothing is erased in these workspaces.

    The answer raises `Transient` when their digests were made with another key: with this one nobody would be known again.
    """
    wanted = sorted(set(keys))
    sql, listed = queries("erasures"), sorted(workspaces)
    async with together(connection):
        await connection.execute(sql["fence"], {"lock_class": _LOCK_CLASS, "workspaces": listed})
        used = await connection.execute(sql["keys"], {"workspaces": listed})
        found = await connection.execute(sql["find"], columns(_KEY, wanted))

    async def answer() -> dict[TombstoneKey, Tombstone]:
        for _, made_with in await used.fetchall():
            _check(made_with, fingerprint)
        return {wanted[n - 1]: Tombstone(*row) for n, *row in await found.fetchall()}

    return answer


async def shut(connection: Connection, workspace: UUID, fingerprint: bytes) -> None:
    """Waits for batches that are under way, and keeps new ones out until the end of the transaction. Raises `Transient`
    as `find` does."""
    sql = queries("erasures")
    await connection.execute(sql["shut"], {"lock_class": _LOCK_CLASS, "workspace": workspace})
    parameters = {"workspace": workspace, "fingerprint": fingerprint}
    row = await (await connection.execute(sql["claim_key"], parameters)).fetchone()
    assert row is not None
    _check(row[0], fingerprint)


async def held(connection: Connection, workspace: UUID, members: Sequence[UUID]) -> list[HeldValue]:
    """The handles of these customers."""
    parameters = {"workspace": workspace, "members": list(members)}
    cursor = await connection.execute(queries("erasures")["held_elsewhere"], parameters)
    return [HeldValue(*row) for row in await cursor.fetchall()]


async def add(
    connection: Connection, workspace: UUID, tombstones: Iterable[tuple[str, bytes, int, datetime | None]]
) -> None:
    """Kind, digest, generation and until. Of an older one the generation is raised."""
    arrays: dict[str, Any] = columns(
        ("kinds", "digests", "generations", "until"), sorted(tombstones, key=lambda row: row[:2])
    )
    await connection.execute(queries("erasures")["add"], arrays | {"workspace": workspace})


def _check(made_with: bytes, fingerprint: bytes) -> None:
    if bytes(made_with) != fingerprint:
        raise Transient(
            "erasure: customers were erased under another key; set FRONTDESK_ERASURE_KEY to the same everywhere"
        )
