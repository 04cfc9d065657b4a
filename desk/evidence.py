"""Evidence that turns out to be worth nothing: a signing key that leaked, a server or an account that lied (I18)."""

from __future__ import annotations

from uuid import UUID, uuid4

import msgspec

from contracts import ids
from desk.customer_names import stated
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.postgres import identity_merges, identity_store, identity_withdrawal
from sinks.postgres.identity_rows import EventRow


class RevokedLink(msgspec.Struct, frozen=True, kw_only=True):
    kind: str
    value: str
    customer: UUID


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """What ended. `tickets`: numbers of the tickets of everybody concerned, for people to look at."""

    links: list[RevokedLink]
    unmerged: list[UUID]
    tickets: list[int]


async def withdraw(
    database: Database, clock: Clock, workspace: UUID, actor: str, evidence: str, reason: str
) -> Withdrawal:
    """Ends every link that only this evidence proves, and every automatic merge that rests on it. `evidence` is as the
    history has it: what a door names (`jwt:kid=k1`), or an account as CHANNEL/ACCOUNT. A second time it finds nothing.

    Raises `Refused` without a reason.
    """
    why, cause, now = stated(reason), uuid4(), clock.now()

    def event(action: str, customer: UUID, kind: str | None = None, value: str | None = None) -> EventRow:
        name = ids.identity_event_id(cause, action, kind or "customer", value or str(customer))
        return EventRow(
            *(workspace, name, action, customer, kind, value, None, now),
            evidence=evidence,
            actor=actor,
            reason=why,
        )

    async with database.transaction([workspace]) as connection:
        lost = await identity_withdrawal.links(connection, workspace, evidence)
        sources = await identity_withdrawal.merges(connection, workspace, evidence, lost)
        concerned = {link.customer for link in lost} | set(sources)
        found = await identity_merges.roots(connection, [(workspace, one) for one in concerned])
        await identity_merges.lock(connection, [(workspace, root) for root in found.values()])
        for source in sources:
            await identity_merges.unmerge(connection, event("unmerged", source))
        revoked = [event("revoked", link.customer, link.kind, link.value) for link in lost]
        revoked = [
            row._replace(proof=link.proof, message=link.message)
            for row, link in zip(revoked, lost, strict=True)
        ]
        await identity_store.write(connection, (), revoked)
        # While they were merged, tickets were written to what they were merged into.
        numbers = await identity_withdrawal.tickets(connection, workspace, concerned | {*found.values()})
    links = [RevokedLink(kind=link.kind, value=link.value, customer=link.customer) for link in lost]
    return Withdrawal(links=links, unmerged=sources, tickets=numbers)
