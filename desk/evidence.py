"""Evidence that turns out to be worth nothing: a signing key that leaked, a server or an account that lied (I18)."""

from __future__ import annotations

from uuid import UUID, uuid4

import msgspec

from contracts.ids import workspace_id
from contracts.workspace import Workspace
from desk.customer_names import stated
from identity.doubts import Doubt, undo
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.postgres import identity_withdrawal


class RevokedLink(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    value: str
    customer: UUID


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """What ended. `tickets`: numbers of the tickets of everybody concerned; each has a note about it."""

    links: list[RevokedLink]
    unmerged: list[UUID]
    tickets: list[int]


async def withdraw(
    database: Database, clock: Clock, config: Workspace, actor: str, evidence: str, reason: str
) -> Withdrawal:
    """Ends every link that only this evidence proves, and every automatic merge that rests on it, and tells the queues of the
    tickets concerned. `evidence` is as the history has it: what a door names (`jwt:kid=k1`), or an account as CHANNEL/ACCOUNT. A
    second time it finds nothing.

    Raises `Refused` without a reason.
    """
    workspace, why = workspace_id(config.slug), stated(reason)
    note = f"Who wrote this is not proven any more: `{evidence}` was withdrawn ({why})."
    doubt = Doubt(workspace, uuid4(), clock.now(), actor, why, note, evidence)
    async with database.transaction([workspace]) as connection:
        lost = await identity_withdrawal.links(connection, workspace, evidence)
        sources = await identity_withdrawal.merges(connection, workspace, evidence, lost)
        numbers = await undo(connection, config, doubt, "revoked", lost, sources)
    links = [RevokedLink(kind=link.kind, value=link.value, customer=link.customer) for link in lost]
    return Withdrawal(links=links, unmerged=sources, tickets=numbers)
