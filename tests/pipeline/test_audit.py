"""The audit trail: whoever changes it is found out."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from contracts.errors import Refused
from contracts.ids import ticket_id, workspace_id
from runtime.clock import Clock
from runtime.postgres import Database
from runtime.settings import Settings
from sinks.audit import GENESIS, AuditFault, Seal, Sealer, entry_hash, merkle_root, signing_key, verify_audit
from tests.support.system import Dsns

WORKSPACE = workspace_id("audit")
FIRST, SECOND = sorted((ticket_id(WORKSPACE, UUID(int=1)), ticket_id(WORKSPACE, UUID(int=2))))
START = datetime(2026, 3, 1, 12, tzinfo=UTC)
DETAIL = '{"from": "low",  "to": "high"}'


class Trail:
    """Two sealed tickets of three versions each, and the owner's hands."""

    def __init__(self, settings: Settings, system: Database, owner: psycopg.AsyncConnection) -> None:
        self.settings = settings
        self.system = system
        self.owner = owner
        self.sealer = Sealer(settings, system, Clock(START))

    async def write(self, versions: int, *tickets: UUID) -> None:
        """Tickets with this many audit rows each, in one transaction."""
        async with self.system.transaction() as connection:
            for ticket in tickets:
                head = GENESIS
                for version in range(1, versions + 1):
                    at = START + timedelta(microseconds=version)
                    row = (ticket, version, at, "router", "prioritised")
                    head = entry_hash(head, *row, DETAIL.encode())
                    await connection.execute(
                        "INSERT INTO audit (workspace, ticket_id, version, at, actor, action, detail, hash)"
                        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
                        (WORKSPACE, *row, DETAIL, head),
                    )
                await connection.execute(
                    "INSERT INTO tickets (workspace, ticket_id, number, version, customer_id, trust, channel, account,"
                    " department, priority, status, messages, created_at, updated_at, audit_head)"
                    " VALUES (%s, %s, %s, %s, %s, 'none', 'email', 'a', 'd', 'low', 'new', 1, %s, %s, %s)",
                    (WORKSPACE, ticket, ticket.int % 10**15, versions, WORKSPACE, START, START, head),
                )

    async def seal(self) -> Seal:
        """The next seal, as soon as no transaction of the whole server is older than the rows."""
        async with asyncio.timeout(30):
            while True:
                if seal := await self.sealer.seal():
                    return seal
                await asyncio.sleep(0.02)

    async def tamper(self, statement: str, *parameters: object) -> None:
        """As the owner, who can switch the trigger and row-level security off."""
        async with self.owner.transaction():
            await self.owner.execute("SET LOCAL session_replication_role = replica")
            done = await self.owner.execute(statement.encode(), parameters)
            assert done.rowcount == 1

    async def faults(self) -> list[AuditFault]:
        return await verify_audit(self.settings, self.system)


@pytest.fixture
async def trail(database: Dsns, tmp_path: Path) -> AsyncIterator[Trail]:
    async with (
        Database(database.system) as system,
        await psycopg.AsyncConnection.connect(database.owner, autocommit=True) as owner,
    ):
        trail = Trail(Settings(data=tmp_path), system, owner)
        await trail.write(3, FIRST, SECOND)
        await trail.seal()
        yield trail


async def test_a_trail_nobody_touched_is_sound(trail: Trail) -> None:
    assert await trail.faults() == []
    assert await trail.sealer.seal() is None


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        ("UPDATE audit SET actor = 'nobody' WHERE ticket_id = %s AND version = 2", (FIRST,)),
        (
            "UPDATE audit SET at = at + interval '1 microsecond' WHERE ticket_id = %s AND version = 3",
            (FIRST,),
        ),
        ('UPDATE audit SET detail = \'{"from": "low"}\' WHERE ticket_id = %s AND version = 1', (FIRST,)),
        ("DELETE FROM audit WHERE ticket_id = %s AND version = 2", (FIRST,)),
        ("DELETE FROM audit WHERE ticket_id = %s AND version = 3", (FIRST,)),
        ("DELETE FROM tickets WHERE ticket_id = %s", (FIRST,)),
        (
            "INSERT INTO audit SELECT workspace, ticket_id, 4, at, actor, action, detail, hash FROM audit"
            " WHERE ticket_id = %s AND version = 3",
            (FIRST,),
        ),
    ],
    ids=["actor", "time", "detail", "middle row", "last row", "ticket", "added row"],
)
async def test_a_change_names_the_ticket(
    trail: Trail, statement: str, parameters: tuple[object, ...]
) -> None:
    await trail.tamper(statement, *parameters)
    chains = [fault for fault in await trail.faults() if fault.seal is None]
    assert [fault.ticket_id for fault in chains] == [FIRST]


async def test_a_chain_computed_anew_is_found_by_the_seal(trail: Trail) -> None:
    forged = GENESIS
    for version in range(1, 4):
        at = START + timedelta(microseconds=version)
        forged = entry_hash(forged, FIRST, version, at, "nobody", "prioritised", DETAIL.encode())
        change = "UPDATE audit SET actor = 'nobody', hash = %s WHERE ticket_id = %s AND version = %s"
        await trail.tamper(change, forged, FIRST, version)
    await trail.tamper("UPDATE tickets SET audit_head = %s WHERE ticket_id = %s", forged, FIRST)
    faults = await trail.faults()
    assert [fault.seal for fault in faults] == [1, 1, 1]
    assert FIRST in {fault.ticket_id for fault in faults}


async def test_a_seal_that_was_changed_or_removed_is_found(trail: Trail) -> None:
    await trail.write(1, ticket_id(WORKSPACE, UUID(int=3)))
    await trail.seal()
    await trail.tamper("UPDATE audit_seals SET sealed_at = sealed_at + interval '1 hour' WHERE seal = 2")
    assert [(f.seal, f.reason) for f in await trail.faults() if f.seal] == [
        (2, "the signature is not by the audit key")
    ]
    await trail.tamper("DELETE FROM audit_seals WHERE seal = 1")
    assert "it does not follow the seal before it" in [f.reason for f in await trail.faults()]


async def test_a_seal_waits_for_open_transactions_and_then_takes_their_rows(trail: Trail) -> None:
    late = ticket_id(WORKSPACE, UUID(int=4))
    async with trail.owner.transaction():
        await trail.owner.execute("SELECT pg_current_xact_id()")
        await trail.write(1, late)
        assert await trail.sealer.seal() is None
    assert (await trail.seal()).rows == 1


def test_the_key_is_made_once_and_is_the_owners_alone(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path / "data")
    made = signing_key(settings).private_bytes_raw()
    assert signing_key(settings).private_bytes_raw() == made
    assert stat.S_IMODE((tmp_path / "data" / "audit.key").stat().st_mode) == 0o600
    given = Settings(data=tmp_path, audit_key="07" * 32)
    assert signing_key(given).private_bytes_raw() == b"\x07" * 32
    with pytest.raises(Refused):
        signing_key(Settings(data=tmp_path, audit_key="no hex"))


def test_merkle_root_is_the_rfc_6962_tree() -> None:
    """The reference recursion of section 2.1, for every size around the powers of two."""

    def reference(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return sha256(b"\x00" + leaves[0]).digest()
        half = 1 << (len(leaves) - 1).bit_length() - 1
        return sha256(b"\x01" + reference(leaves[:half]) + reference(leaves[half:])).digest()

    for size in range(1, 20):
        leaves = [bytes([number]) for number in range(size)]
        assert merkle_root(leaves) == reference(leaves)
    assert merkle_root([]) == sha256(b"").digest()
