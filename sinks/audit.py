"""The audit trail: the hash of a row, the sealer that signs what the trail holds, and the check of the whole trail.

Chain: the hash of a row covers the hash of the row before it, so that a row cannot be edited, removed or put in between
without breaking every hash after it. Seal: each minute an Ed25519 signature over the RFC 6962 Merkle tree of the new
rows, which shows a change even where somebody with the owner's rights has computed the chain anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from contracts.errors import Refused
from runtime.clock import Clock
from runtime.kept_key import kept_key
from runtime.postgres import Connection, Database
from runtime.settings import Settings
from sinks.periodic import Periodic
from sinks.postgres.sql import queries

log = structlog.get_logger(__name__)

GENESIS = bytes(32)
"""What stands before the first row of a ticket."""

_ROW_DOMAIN = b"frontdesk.audit.v1\0"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def entry_hash(
    previous: bytes, ticket_id: UUID, version: int, at: datetime, actor: str, action: str, detail_json: bytes
) -> bytes:
    """The 32 bytes for the column `audit.hash`, and for `tickets.audit_head` after it.

    sha256 over, in this order: `frontdesk.audit.v1` and NUL; the previous hash (32 bytes, `GENESIS` for version 1); the
    ticket's UUID (16 bytes); version (8 bytes); `at` as microseconds since 1970 UTC (8 bytes, signed); then actor and
    action (UTF-8) and the detail, each behind its length in bytes (4 bytes). All integers are big-endian. `at` is aware.
    `detail_json` is exactly what goes into `audit.detail`: the column's type `json` keeps its text as it is.
    """
    digest = hashlib.sha256(_ROW_DOMAIN)
    digest.update(previous)
    digest.update(ticket_id.bytes)
    digest.update(version.to_bytes(8, "big"))
    digest.update(((at - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True))
    for part in (actor.encode(), action.encode(), detail_json):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash of RFC 6962, section 2.1: leaves prefixed by 0x00, nodes by 0x01."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        # Pairing from the left and carrying an odd last node up gives the RFC's split at powers of two.
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
        level = above + level[-1:] if len(level) % 2 else above
    return level[0]


_SEAL_DOMAIN = b"frontdesk.seal.v1\0"
_KEY_FILE = "audit.key"
_FETCH = 5_000


def signing_key(settings: Settings) -> Ed25519PrivateKey:
    """`FRONTDESK_AUDIT_KEY`, or the key in `data/audit.key`, made at the first call and readable by its owner only.

    Raises `Refused` for a setting that is not the hex of 32 bytes.
    """
    text = settings.audit_key or kept_key(settings.data / _KEY_FILE)
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(text))
    except ValueError:
        raise Refused("bad_audit_key", "the audit key is not the hex of 32 bytes") from None


class Seal(NamedTuple):
    """One signed statement: the rows of these transactions are these. Transaction ids are Postgres' 64-bit ones."""

    seal: int
    xid_from: int
    xid_to: int
    rows: int
    root: bytes
    sealed_at: datetime

    def signed_bytes(self, previous_signature: bytes) -> bytes:
        """What the signature covers, the signature of the seal before included."""
        numbers = (self.seal, self.xid_from, self.xid_to, self.rows, int(self.sealed_at.timestamp()))
        parts = [number.to_bytes(8, "big") for number in numbers]
        return b"".join([_SEAL_DOMAIN, *parts, self.root, previous_signature])


class Sealer(Periodic):
    """Each minute seals the rows of all transactions that have ended since the last seal. No rows, no seal."""

    def __init__(self, settings: Settings, system_db: Database, clock: Clock) -> None:
        super().__init__(60.0)
        self._settings = settings
        self._database = system_db
        self._clock = clock

    async def tick(self) -> None:
        await self._database.open()
        await self.seal()

    async def seal(self) -> Seal | None:
        """The new seal; None when there was nothing to seal."""
        key = signing_key(self._settings)
        async with self._database.transaction() as connection:
            last = await (await connection.execute(queries("audit")["last_seal"])).fetchone()
            number, xid_from, previous = (last[0], int(last[1]), last[2]) if last else (0, 0, b"")
            horizon = await (await connection.execute(queries("audit")["horizon"])).fetchone()
            assert horizon is not None
            leaves = await _leaves(connection, xid_from, int(horizon[0]))
            if not leaves:
                return None
            seal = Seal(
                number + 1, xid_from, int(horizon[0]), len(leaves), merkle_root(leaves), self._clock.now()
            )
            signature = key.sign(seal.signed_bytes(previous))
            numbers = {"xid_from": str(seal.xid_from), "xid_to": str(seal.xid_to), "signature": signature}
            await connection.execute(queries("audit")["insert_seal"], seal._asdict() | numbers)
        # Whoever removes the newest seals as well leaves this line in the logs, which go elsewhere.
        log.info("audit sealed", seal=seal.seal, rows=seal.rows, root=seal.root.hex())
        return seal


async def _leaves(connection: Connection, xid_from: int, xid_to: int) -> list[bytes]:
    parameters = {"xid_from": str(xid_from), "xid_to": str(xid_to)}
    rows = await (await connection.execute(queries("audit")["leaves"], parameters)).fetchall()
    return [
        workspace.bytes + ticket.bytes + version.to_bytes(8, "big") + hash_
        for workspace, ticket, version, hash_ in rows
    ]


@dataclass(frozen=True, slots=True)
class AuditFault:
    """What is not as it was written: a ticket's trail, or a seal (then `ticket_id` and `workspace` are null)."""

    reason: str
    workspace: UUID | None = None
    ticket_id: UUID | None = None
    seal: int | None = None


async def verify_audit(settings: Settings, system_db: Database) -> list[AuditFault]:
    """Reads the whole trail; an empty list means that it is sound.

    Names every ticket whose chain is broken, every seal that does not fit its rows, and the tickets in such a seal (it
    cannot tell which of its rows was changed, if the chain was computed anew). Memory is bounded by the rows of one
    seal. Raises `Transient` when Postgres is away.
    """
    faults = await _check_chains(system_db)
    named = {fault.ticket_id for fault in faults}
    return faults + [
        f for f in await _check_seals(settings, system_db) if not f.ticket_id or f.ticket_id not in named
    ]


async def _check_chains(database: Database) -> list[AuditFault]:
    faults: list[AuditFault] = []
    async with database.transaction() as connection, connection.cursor(name="chains") as cursor:
        await cursor.execute(queries("audit")["chains"])
        chain: list[Sequence[Any]] = []
        while rows := await cursor.fetchmany(_FETCH):
            # The last ticket of a page may go on in the next one.
            *whole, chain = [list(group) for _, group in groupby([*chain, *rows], key=itemgetter(0, 1))]
            for complete in whole:
                faults += _check_chain(complete)
        if chain:
            faults += _check_chain(chain)
    return faults


def _check_chain(rows: Sequence[Sequence[Any]]) -> list[AuditFault]:
    """At most one fault: after the first, nothing fits."""
    workspace, ticket_id, *_, head = rows[0]
    return [AuditFault(reason, workspace, ticket_id) for reason in islice(_breaks(rows, head), 1)]


def _breaks(rows: Sequence[Sequence[Any]], head: bytes | None) -> Iterator[str]:
    previous = GENESIS
    for _, ticket_id, version, at, actor, action, detail, stored, _ in rows:
        if version is None:
            yield "the ticket has no audit rows"
            return
        if entry_hash(previous, ticket_id, version, at, actor, action, detail.encode()) != stored:
            yield f"version {version} was changed, or what stood before it was"
        previous = stored
    if head is None:
        yield "audit rows without a ticket"
    elif head != previous:
        yield "the newest row is not the one that the ticket remembers"


async def _check_seals(settings: Settings, database: Database) -> list[AuditFault]:
    public = signing_key(settings).public_key()
    faults: list[AuditFault] = []
    expected, xid_from, previous_signature = 1, 0, b""
    for number, low, high, count, root, signature, sealed_at in await database.fetch(
        [], queries("audit")["seals"]
    ):
        seal = Seal(number, int(low), int(high), count, root, sealed_at)
        try:
            public.verify(signature, seal.signed_bytes(previous_signature))
        except InvalidSignature:
            faults.append(AuditFault("the signature is not by the audit key", seal=number))
        if (seal.seal, seal.xid_from) != (expected, xid_from):
            faults.append(AuditFault("it does not follow the seal before it", seal=number))
        async with database.transaction() as connection:
            leaves = await _leaves(connection, seal.xid_from, seal.xid_to)
        if (len(leaves), merkle_root(leaves)) != (seal.rows, seal.root):
            faults.append(
                AuditFault(f"it covers {seal.rows} rows; now there are {len(leaves)}, or others", seal=number)
            )
            faults += _tickets_of(leaves, number)
        expected, xid_from, previous_signature = seal.seal + 1, seal.xid_to, signature
    return faults


def _tickets_of(leaves: Sequence[bytes], seal: int) -> list[AuditFault]:
    """A leaf begins with its workspace and ticket."""
    tickets = sorted({leaf[:32] for leaf in leaves})
    reason = "one of the tickets of a seal that does not fit its rows"
    return [AuditFault(reason, UUID(bytes=t[:16]), UUID(bytes=t[16:]), seal) for t in tickets]
