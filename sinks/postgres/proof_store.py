"""Codes that prove an address, and the events of proofs. Every function works in the caller's transaction.

A proof goes to the identity stage through the outbox and `frontdesk.inbound.v1`, so that it is linked under the same locks and
by the same rules as everything else that says who somebody is.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from contracts.inbound import Handle, InboundMessage
from contracts.proofs import proof
from runtime.postgres import Connection
from sinks.postgres.sql import queries
from sinks.postgres.ticket_store import OutboxRow, Writes
from sinks.postgres.ticket_writes import write

MAX_ATTEMPTS = 5

_LOCK_CLASS = 0x70726F66
_KEPT = timedelta(days=1)
_SQL = "proofs"


class AskedLately(NamedTuple):
    """Codes of the last hour."""

    address: int
    customer: int
    workspace: int


class NewCode(NamedTuple):
    """A code to be mailed. `code` and `token` are only stored as their hashes."""

    workspace: UUID
    proof: UUID
    customer: UUID
    value: str
    code: str
    token: str
    asked_by: str
    asked_at: datetime
    expires_at: datetime


class _Open(NamedTuple):
    workspace: UUID
    proof: UUID
    customer: UUID
    value: str
    code_sha256: bytes


async def asked_lately(
    connection: Connection, workspace: UUID, value: str, customer: UUID, now: datetime
) -> AskedLately:
    """What was asked for in the last hour. Others who ask wait until the caller's transaction ends."""
    given = {"workspace": workspace, "value": value, "customer": customer}
    sql = queries(_SQL)
    await connection.execute(sql["alone"], {"workspace": str(workspace), "lock_class": _LOCK_CLASS})
    await connection.execute(sql["forget"], {"workspace": workspace, "before": now - _KEPT})
    cursor = await connection.execute(sql["asked"], given | {"since": now - timedelta(hours=1)})
    row = await cursor.fetchone()
    assert row is not None
    return AskedLately(*row)


async def add(connection: Connection, new: NewCode) -> None:
    """Stores a code's hashes."""
    given = new._asdict() | {"code": _hash(new.proof, new.code), "token": _token(new.token)}
    await connection.execute(queries(_SQL)["add"], given)


async def confirm_code(
    connection: Connection, workspace: UUID, named: UUID, code: str, now: datetime, actor: str | None = None
) -> bool:
    """Whether the code is right; then its address is proven, once. A wrong one counts as an attempt, so the caller must
    commit whatever this returns."""
    given = {"workspace": workspace, "proof": named, "now": now, "most": MAX_ATTEMPTS}
    row = await (await connection.execute(queries(_SQL)["try_code"], given)).fetchone()
    if row is None:
        return False
    found = _Open(*row)
    same = hmac.compare_digest(bytes(found.code_sha256), _hash(found.proof, code))
    return same and await _prove(connection, found, now, actor)


async def confirm_token(
    connection: Connection, workspaces: Sequence[UUID], token: str, now: datetime
) -> bool:
    """The same for the link. It holds 256 random bits, so nobody tries."""
    given = {"workspaces": list(workspaces), "token": _token(token), "now": now}
    row = await (await connection.execute(queries(_SQL)["by_token"], given)).fetchone()
    return row is not None and await _prove(connection, _Open(*row), now, None)


async def publish(connection: Connection, proofs: Iterable[InboundMessage]) -> None:
    """Hands proofs to the identity stage."""
    await write(connection, Writes(outbox=[_row(one) for one in proofs]))


async def _prove(connection: Connection, found: _Open, now: datetime, actor: str | None) -> bool:
    used = {"workspace": found.workspace, "proof": found.proof, "now": now}
    if await (await connection.execute(queries(_SQL)["use"], used)).fetchone() is None:
        return False
    handle = Handle(kind="email", value=found.value, proof="verified", evidence=f"otp:{found.proof}")
    event = proof(
        found.workspace,
        "code",
        str(found.proof),
        (handle,),
        now,
        customer=found.customer,
        actor=actor,
        reason="the code that was mailed to the address came back",
    )
    await publish(connection, [event])
    return True


def _row(event: InboundMessage) -> OutboxRow:
    named = event.message_id
    return OutboxRow.of("proof", named, named, event.account, event, event.workspace, event.received_at)


def _hash(named: UUID, code: str) -> bytes:
    """Bound to its own request: the same code of another one is wrong."""
    digits = "".join(character for character in code if character.isdigit())
    return sha256(named.bytes + digits.encode()).digest()


def _token(token: str) -> bytes:
    return sha256(token.encode()).digest()
