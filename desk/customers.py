"""What people do with customers: look, merge, take a merge back, split a handle off. Who may is decided by the caller.

Merging moves nothing: tickets, handles and claims stay where they are and are found through the pointer, so that taking it
back is exact. Every change is in the history of links, with its actor and reason, and an event on the customer topic.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from contracts import ids
from contracts.errors import Refused
from desk.customer_names import find, group, handle, locked, pair, stated
from desk.erasure import Erasure
from desk.export import Exporter
from desk.suggestions import Suggestions
from identity.tombstones import Tombstones
from runtime.clock import Clock
from runtime.postgres import Connection, Database
from sinks.archive import Archive
from sinks.postgres import customer_reads, erasure_store, identity_merges, rule_store
from sinks.postgres.customer_reads import EventLine, HeldHandle, MergeLine, StoredCustomer, TicketLine
from sinks.postgres.identity_merges import Group
from sinks.postgres.identity_rows import CustomerRow, EventRow, MergeRow


class CustomerDetail(msgspec.Struct, frozen=True, kw_only=True):
    """A root customer with everybody merged into it. `named`: the one that was asked for."""

    id: UUID
    named: UUID
    name: str | None
    proven: bool
    created_at: datetime
    handles: list[HeldHandle]
    merges: list[MergeLine]
    tickets: list[TicketLine]
    history: list[EventLine]


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One of two customers that may be merged."""

    id: UUID
    name: str | None
    handles: list[HeldHandle]
    tickets: int


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """Handles of one kind that both have verified, and differently. `veto`: they speak against a merge."""

    kind: str
    source: list[str]
    target: list[str]
    veto: bool


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge would do. `parted`: somebody has kept the two apart before. `second_person`: two people must ask for it;
    `requested_by`: who has."""

    source: Side
    target: Side
    conflicts: list[Conflict]
    parted: bool
    second_person: bool
    requested_by: str | None


class MergeResult(msgspec.Struct, frozen=True, kw_only=True):
    """`merged` false: it waits for a second person."""

    source: UUID
    target: UUID
    merged: bool


class SplitResult(msgspec.Struct, frozen=True, kw_only=True):
    """`customer`: whose handle it was; `new`: whose it is."""

    customer: UUID
    new: UUID


class Customers:
    """The desk's use cases. A customer is named by its id, or by a handle as KIND:VALUE; `actor` is as audit rows have it."""

    def __init__(self, database: Database, clock: Clock, tombstones: Tombstones, archive: Archive) -> None:
        self._database = database
        self._clock = clock
        self._tombstones = tombstones
        self.suggestions = Suggestions(database, clock)
        self.erasure = Erasure(database, clock, tombstones)
        self.exporter = Exporter(database, clock, archive)

    async def detail(
        self, workspace: UUID, named: str, visible: Sequence[str] | None = None
    ) -> CustomerDetail:
        """The customer, after merges. `visible`: departments whose tickets are shown; None: all."""
        async with self._database.transaction([workspace]) as connection:
            found = await find(connection, workspace, named)
            root = await customer_reads.find(connection, workspace, found.root) or found
            members = (await group(connection, workspace, root.id)).members
            return CustomerDetail(
                id=root.id,
                named=found.id,
                name=root.name,
                proven=root.proven,
                created_at=root.created_at,
                handles=await customer_reads.handles(connection, workspace, members),
                merges=await customer_reads.merges(connection, workspace, members),
                tickets=await customer_reads.tickets(connection, workspace, members, visible),
                history=await customer_reads.events(connection, workspace, members),
            )

    async def tag(
        self, workspace: UUID, named: str, tags: Sequence[str], remove: bool = False
    ) -> tuple[str, ...]:
        """Gives the customer tags, or takes them away, for rules to read. All tags after it, sorted."""
        async with self._database.transaction([workspace]) as connection:
            found = await find(connection, workspace, named)
            key = (workspace, found.root)
            await rule_store.tag_customer(connection, key, tags, remove)
            tagged = await rule_store.customer_tags(connection, [key])
            return (await tagged()).get(key, ())

    async def preview(self, workspace: UUID, source: str, target: str) -> Preview:
        """What merging the first into the second would do. Raises `Refused` as `merge` does."""
        async with self._database.transaction([workspace]) as connection:
            return await _preview(connection, workspace, await pair(connection, workspace, source, target))

    async def merge(self, workspace: UUID, actor: str, source: str, target: str, reason: str) -> MergeResult:
        """Merges the first customer into the second. With two different logins it waits until another person asks for the
        same.

        Raises `Refused`: 404 nobody has that name, 409 both are one already or this actor has asked before, 422 without a
        reason.
        """
        reason, now = stated(reason), self._clock.now()
        async with self._database.transaction([workspace]) as connection:
            await locked(connection, workspace, source, target)
            both = await pair(connection, workspace, source, target)
            preview = await _preview(connection, workspace, both)
            one, other = preview.source.id, preview.target.id
            if preview.second_person:
                if preview.requested_by == actor:
                    raise Refused("second_person", "somebody else must ask for the same merge", status=409)
                if preview.requested_by is None:
                    await customer_reads.request(connection, workspace, one, other, actor, reason, now)
                    return MergeResult(source=one, target=other, merged=False)
                reason = f"{reason} (with {preview.requested_by})"
                await customer_reads.answered(connection, workspace, one, other)
            event = await self._event(connection, workspace, "merged", one, actor, reason)
            await identity_merges.merge(connection, [MergeRow(event._replace(other=other))])
        return MergeResult(source=one, target=other, merged=True)

    async def unmerge(self, workspace: UUID, actor: str, customer: str, reason: str) -> CustomerDetail:
        """Takes the merge of this customer into another back, whoever made it: what it had is its own again. Not merged
        again but by people. Raises `Refused` with 409 for one that is not merged."""
        reason = stated(reason)
        async with self._database.transaction([workspace]) as connection:
            (found,) = await locked(connection, workspace, customer)
            event = await self._event(connection, workspace, "unmerged", found.id, actor, reason)
            if await identity_merges.unmerge(connection, event) is None:
                raise Refused("not_merged", "this customer is not merged into another", status=409)
        return await self.detail(workspace, str(found.id))

    async def split(self, workspace: UUID, actor: str, customer: str, shown: str, reason: str) -> SplitResult:
        """Gives one verified handle of the customer to a new one. Messages that show it go there from now on; tickets stay.
        Raises `Refused` with 404 when the customer has not verified it."""
        reason = stated(reason)
        kind, value = handle(shown)
        async with self._database.transaction([workspace]) as connection:
            (found,) = await locked(connection, workspace, customer)
            members = (await group(connection, workspace, found.root)).members
            link = await customer_reads.link(connection, workspace, members, kind, value)
            if link is None:
                raise Refused("unknown_handle", f"the customer has not verified {shown}", status=404)
            generation = await self._generation(connection, workspace, kind, value)
            new = ids.customer_id(workspace, True, kind, value, generation)
            revoked = await self._event(connection, workspace, "revoked", link.customer, actor, reason)
            revoked = revoked._replace(kind=kind, value=value, proof=link.proof, message=link.evidence)
            linked = revoked._replace(
                event=ids.identity_event_id(revoked.event, "linked", kind, value),
                action="linked",
                customer=new,
                other=link.customer,
            )
            founded = CustomerRow(workspace, new, kind, value, True, None, linked.at, generation)
            await identity_merges.split(connection, revoked, linked, founded)
        return SplitResult(customer=link.customer, new=new)

    async def _generation(self, connection: Connection, workspace: UUID, kind: str, value: str) -> int:
        """Of the customer whom a handle founds that somebody has now."""
        key = (workspace, kind, self._tombstones.of(workspace, kind, value))
        found = await (
            await erasure_store.find(connection, [workspace], self._tombstones.fingerprint, [key])
        )()
        lost = await customer_reads.lost(connection, workspace, kind, value)
        return lost + 1 + (found[key].generation if key in found else 0)

    async def _event(
        self, connection: Connection, workspace: UUID, action: str, customer: UUID, actor: str, reason: str
    ) -> EventRow:
        """An entry of the history by a person. The customer's next version makes its id."""
        version = await customer_reads.version(connection, workspace, customer) + 1
        event = ids.identity_event_id(ids.customer_event_id(customer, version), action, "customer", "")
        now = self._clock.now()
        return EventRow(workspace, event, action, customer, None, None, None, now, actor=actor, reason=reason)


async def _preview(
    connection: Connection, workspace: UUID, both: tuple[StoredCustomer, StoredCustomer]
) -> Preview:
    roots = [one.root for one in both]
    groups, separations = await identity_merges.groups(connection, [(workspace, root) for root in roots])
    one, other = (next(group for group in groups if group.root == root) for root in roots)
    conflicts = _conflicts(one, other)
    return Preview(
        source=await _side(connection, workspace, one),
        target=await _side(connection, workspace, other),
        conflicts=conflicts,
        parted=any(pair & one.members and pair & other.members for pair in separations),
        second_person=any(conflict.veto for conflict in conflicts),
        requested_by=await customer_reads.requested_by(connection, workspace, one.root, other.root),
    )


async def _side(connection: Connection, workspace: UUID, one: Group) -> Side:
    root = await customer_reads.find(connection, workspace, one.root)
    return Side(
        id=one.root,
        name=root.name if root else None,
        handles=await customer_reads.handles(connection, workspace, one.members),
        tickets=await customer_reads.ticket_count(connection, workspace, one.members),
    )


def _conflicts(one: Group, other: Group) -> list[Conflict]:
    def values(side: Group) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for _, kind, value in sorted(side.proven):
            found.setdefault(kind, []).append(value)
        return found

    source, target = values(one), values(other)
    return [
        Conflict(kind=kind, source=source[kind], target=target[kind], veto=kind == "external_id")
        for kind in sorted(source.keys() & target.keys())
        if source[kind] != target[kind]
    ]
