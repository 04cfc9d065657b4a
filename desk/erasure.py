"""Erasing a customer: rows keep what the books need, bytes lose their last reference, and keyed hashes remain by which
nothing old comes back. What is on topics goes with their retention (docs/privacy.md)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

import msgspec

from contracts import ids
from contracts.customer import CustomerEvent
from contracts.erasure import ticket_without_person
from contracts.errors import Refused
from contracts.ticket import Cause
from desk.customer_names import locked, stated, subject_of
from identity.tombstones import MESSAGE, Tombstones
from runtime.clock import Clock
from runtime.postgres import Connection, Database
from sinks.postgres import erasing, erasure_store, identity_store
from sinks.postgres.erasing import Renamed, Subject
from sinks.postgres.erasure_store import HeldValue
from sinks.postgres.identity_rows import EventRow
from sinks.postgres.ticket_store import OutboxRow, Writes, lock_tickets
from sinks.postgres.ticket_trail import add_change
from sinks.postgres.ticket_writes import write


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """What went. `customers`: the customer and everybody merged into it."""

    customers: list[UUID]
    tickets: int
    messages: int


class Erasure:
    """The desk's use case. Customers are named as in `desk/customer_names.py`."""

    def __init__(self, database: Database, clock: Clock, tombstones: Tombstones) -> None:
        self._database = database
        self._clock = clock
        self._tombstones = tombstones

    async def erase(self, workspace: UUID, actor: str, named: str, reason: str) -> Erased:
        """Erases the customer with everybody merged into it. It cannot be taken back; what the person sends from now on
        makes a new customer. `reason` stays in the history and must not name the person.

        Raises `Refused`: 404 nobody has that name, 409 it is erased already, 422 without a reason.
        """
        why, now = stated(reason), self._clock.now()
        async with self._database.transaction([workspace]) as connection:
            await erasure_store.shut(connection, workspace, self._tombstones.fingerprint)
            (found,) = await locked(connection, workspace, named)
            if found.erased:
                raise Refused("erased", "this customer was erased", status=409)
            subject = await subject_of(connection, workspace, found.root)
            held = await erasure_store.held(connection, workspace, subject.members)
            renamed = self._renamed(workspace, held)
            await self._bury(connection, subject, held, now)
            await erasing.erase_messages(connection, subject, now)
            await _erase_tickets(connection, subject, renamed, actor, now)
            await erasing.erase_letters(connection, subject, renamed, actor, now)
            versions = await erasing.erase_customers(connection, subject, renamed, now)
            history = _history(subject, held, renamed, actor, why, now)
            await identity_store.write(connection, (), history)
            await write(
                connection, Writes(outbox=[_published(subject, *one, actor, now) for one in versions])
            )
        return Erased(
            customers=list(subject.members), tickets=len(subject.tickets), messages=len(subject.messages)
        )

    def _renamed(self, workspace: UUID, held: Sequence[HeldValue]) -> list[Renamed]:
        shown = sorted({(one.kind, one.value) for one in held})
        return [
            Renamed(kind, value, f"erased:{self._tombstones.of(workspace, kind, value).hex()}")
            for kind, value in shown
        ]

    async def _bury(
        self, connection: Connection, subject: Subject, held: Sequence[HeldValue], now: datetime
    ) -> None:
        stones: dict[tuple[str, bytes], tuple[int, datetime | None]] = {}
        for one in held:
            digest = self._tombstones.of(subject.workspace, one.kind, one.value)
            # Where somebody else has the handle too, its messages are theirs.
            stones[(one.kind, digest)] = (one.lost + 1, None if one.elsewhere else now)
        for message in subject.message_ids:
            stones[(MESSAGE, self._tombstones.of(subject.workspace, MESSAGE, str(message)))] = (0, now)
        rows = [(*key, *stone) for key, stone in stones.items()]
        await erasure_store.add(connection, subject.workspace, rows)


async def _erase_tickets(
    connection: Connection, subject: Subject, handles: Sequence[Renamed], actor: str, now: datetime
) -> None:
    """Each ticket has a new version without the person, so that the older ones are compacted away."""
    stored = await lock_tickets(connection, [(subject.workspace, ticket) for ticket in subject.tickets])
    await erasing.erase_tickets(connection, subject, handles)
    writes = Writes()
    for key in sorted(stored):
        bare = msgspec.structs.replace(ticket_without_person(stored[key].ticket), updated_at=now)
        add_change(writes, stored[key], bare, "erased", Cause(actor=actor), {}, now, stored[key].pulled)
    await write(connection, writes)


def _history(
    subject: Subject,
    held: Sequence[HeldValue],
    handles: Sequence[Renamed],
    actor: str,
    reason: str,
    now: datetime,
) -> list[EventRow]:
    """Every proven link ends; and that each customer was erased, by whom and why."""
    cause, digests = uuid4(), {handle[:2]: handle.digest for handle in handles}
    ended = [
        EventRow(
            subject.workspace,
            ids.identity_event_id(
                cause, "revoked", one.kind, f"{digests[one.kind, one.value]} {one.customer}"
            ),
            "revoked",
            one.customer,
            one.kind,
            digests[one.kind, one.value],
            None,
            now,
            actor=actor,
        )
        for one in held
        if one.state in ("verified", "disputed")
    ]
    erased = [
        EventRow(
            subject.workspace,
            ids.identity_event_id(cause, "erased", "customer", str(member)),
            *("erased", member, None, None, None, now),
            actor=actor,
            reason=reason,
        )
        for member in subject.members
    ]
    return [*ended, *erased]


def _published(subject: Subject, customer: UUID, version: int, actor: str, now: datetime) -> OutboxRow:
    event = CustomerEvent(
        event_id=ids.customer_event_id(customer, version),
        workspace=subject.workspace,
        customer=customer,
        version=version,
        change="erased",
        occurred_at=now,
        actor=actor,
    )
    return OutboxRow.of("customer", customer, event.event_id, "erased", event, subject.workspace, now)
