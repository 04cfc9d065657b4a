"""Merges of customers, and their undoing: a pointer, its event for other services, and an entry in the history. Nothing
else moves. One function each, for the identity stage and for people. Every function works in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from contracts.customer import CustomerEvent
from contracts.errors import Transient
from contracts.ids import customer_event_id, identity_event_id
from runtime.postgres import Connection
from sinks.postgres import identity_store
from sinks.postgres.identity_rows import CustomerRow, EventRow, HandleKey, MergeRow
from sinks.postgres.sql import columns, queries
from sinks.postgres.ticket_store import OutboxRow, Writes
from sinks.postgres.ticket_writes import write

Key = tuple[UUID, UUID]
"""Workspace and customer."""

_SQL = "identity_merges"
_KEYS = ("workspaces", "customers")


@dataclass(slots=True)
class Group:
    """A root customer with everybody merged into it, what they have proven, and when we merged them."""

    root: UUID
    members: set[UUID] = field(default_factory=set)
    proven: dict[HandleKey, str] = field(default_factory=dict)
    merged_at: list[datetime] = field(default_factory=list)


class Groups(NamedTuple):
    """`separations`: pairs, one of them a member of a group, that people keep apart."""

    groups: list[Group]
    separations: set[frozenset[UUID]]


async def lock(connection: Connection, customers: Iterable[Key]) -> None:
    """Locks them and whoever is merged into them, sorted. To be called before the facts are read that a merge rests on."""
    await _rows(connection, "lock", customers)


async def groups(connection: Connection, roots: Iterable[Key]) -> Groups:
    """The groups of these customers; those that are no roots have none."""
    found: dict[UUID, Group] = {}
    root_of: dict[Key, UUID] = {}
    for workspace, root, member in await _rows(connection, "members", roots):
        found.setdefault(root, Group(root)).members.add(member)
        root_of[(workspace, member)] = root
    by_member = {member: found[root] for (_, member), root in root_of.items()}
    for customer, *key, proof in await _rows(connection, "proven", root_of):
        by_member[customer].proven[(key[0], key[1], key[2])] = proof
    for customer, at in await _rows(connection, "merged_at", root_of):
        by_member[customer].merged_at.append(at)
    pairs = {frozenset(pair) for pair in await _rows(connection, "separations", root_of)}
    return Groups([found[root] for root in sorted(found)], pairs)


async def merge(connection: Connection, rows: Sequence[MergeRow]) -> None:
    """Merges sources into targets, in this order. Raises `Transient` when one of them is no root any more: decide
    again."""
    for row in rows:
        event = row.event
        parameters = event._asdict() | {
            "source": event.customer,
            "target": event.other,
            "automatic": row.automatic,
        }
        changed = await _one(connection, "merge", parameters)
        if changed is None:
            raise Transient("identity: a customer was merged meanwhile")
        await _published(connection, event, changed[0], "merged", event.other)


async def unmerge(connection: Connection, event: EventRow) -> UUID | None:
    """Takes the merge of `event.customer` back, exactly, and keeps the two apart from now on. Returns what it had been
    merged into; None when it is not merged."""
    parameters = {"workspace": event.workspace, "source": event.customer}
    changed = await _one(connection, "unmerge", parameters)
    if changed is None:
        return None
    version, target = changed
    event = event._replace(other=target)
    await separate(connection, event.workspace, event.customer, target)
    await _published(connection, event, version, "unmerged", None)
    return UUID(str(target))


async def split(connection: Connection, revoked: EventRow, linked: EventRow, founded: CustomerRow) -> None:
    """Gives a handle of one customer to a new one, which is kept apart from it. Both events are of the same handle."""
    # One after the other: a verified handle has one holder.
    await identity_store.write(connection, (), [revoked])
    await identity_store.write(connection, [founded], [linked])
    raised = await _one(
        connection, "raise_version", {"workspace": revoked.workspace, "customer": revoked.customer}
    )
    await separate(connection, revoked.workspace, revoked.customer, founded.customer)
    apart = revoked._replace(
        event=identity_event_id(revoked.event, "rejected", "customer", str(founded.customer)),
        action="rejected",
        kind=None,
        value=None,
        proof=None,
        other=founded.customer,
    )
    await _published(connection, apart, raised[0], "split", founded.customer)


async def separate(connection: Connection, workspace: UUID, one: UUID, other: UUID) -> None:
    """The two are neither merged by us nor suggested again. Its entry in the history is the caller's."""
    parameters = {"workspace": workspace, "one": one, "other": other}
    await connection.execute(queries(_SQL)["separate"], parameters)


async def roots(connection: Connection, customers: Iterable[Key]) -> dict[UUID, UUID]:
    """The root of each of these customers; those that are not there, or were erased, are left out."""
    return dict(await _rows(connection, "roots", customers))


async def _published(
    connection: Connection,
    event: EventRow,
    version: int,
    change: Literal["merged", "unmerged", "split"],
    into: UUID | None,
) -> None:
    await identity_store.write(connection, (), [event])
    public = CustomerEvent(
        event_id=customer_event_id(event.customer, version),
        workspace=event.workspace,
        customer=event.customer,
        version=version,
        change=change,
        occurred_at=event.at,
        into=into,
        actor=event.actor or "identity",
        reason=event.reason or "",
    )
    row = OutboxRow.of("customer", event.customer, public.event_id, change, public, event.workspace, event.at)
    await write(connection, Writes(outbox=[row]))


async def _one(connection: Connection, query: str, parameters: dict[str, Any]) -> Any:
    return await (await connection.execute(queries(_SQL)[query], parameters)).fetchone()


async def _rows(connection: Connection, query: str, keys: Iterable[Key]) -> list[Any]:
    arrays = columns(_KEYS, sorted(set(keys)))
    if not arrays["customers"]:
        return []
    return await (await connection.execute(queries(_SQL)[query], arrays)).fetchall()
