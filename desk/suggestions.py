"""Who may be the same customer, ranked with the evidence, for people to merge or to reject."""

from __future__ import annotations

from uuid import UUID

import msgspec

from contracts import ids
from desk.customer_names import find, group, pair, stated
from identity.suggest import compare, profile
from runtime.clock import Clock
from runtime.postgres import Connection, Database
from sinks.postgres import customer_reads, identity_merges, identity_store, suggestion_store
from sinks.postgres.identity_merges import Group
from sinks.postgres.identity_rows import EventRow

_SHOWN = 10


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """A signal, and how much it speaks for one person (negative: against)."""

    signal: str
    points: float


class SuggestedCustomer(msgspec.Struct, frozen=True, kw_only=True):
    """`vetoed`: both have a login, and not the same: to merge them takes two people."""

    customer: UUID
    name: str | None
    score: float
    evidence: list[Evidence]
    vetoed: bool


class Suggestions:
    """The desk's use cases. Customers are named as in `desk/customer_names.py`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def of(self, workspace: UUID, named: str) -> list[SuggestedCustomer]:
        """Customers who may be this one, the likeliest first, ten at most; none that people have parted from it."""
        async with self._database.transaction([workspace]) as connection:
            found = await find(connection, workspace, named)
            own = await group(connection, workspace, found.root)
            roots = await suggestion_store.candidates(connection, workspace, own.members)
            groups, separations = await identity_merges.groups(connection, [(workspace, r) for r in roots])
            others = [one for one in groups if not _are_parted(own, one, separations)]
            ranked = await _ranked(connection, workspace, own, others)
        return sorted(ranked, key=lambda one: (-one.score, one.customer))[:_SHOWN]

    async def reject(self, workspace: UUID, actor: str, one: str, other: str, reason: str) -> None:
        """The two are not one: never suggested again, nor merged but by people. Raises `Refused` when they are merged."""
        why = stated(reason)
        async with self._database.transaction([workspace]) as connection:
            first, second = await pair(connection, workspace, one, other)
            name = ids.identity_event_id(first.root, "rejected", "customer", str(second.root))
            event = EventRow(
                *(workspace, name, "rejected", first.root, None, None, None, self._clock.now()),
                other=second.root,
                actor=actor,
                reason=why,
            )
            await identity_store.write(connection, (), [event])
            await identity_merges.separate(connection, workspace, first.root, second.root)


async def _ranked(
    connection: Connection, workspace: UUID, own: Group, others: list[Group]
) -> list[SuggestedCustomer]:
    members = own.members.union(*(other.members for other in others))
    known = await suggestion_store.traits(connection, workspace, members)

    def of(one: Group) -> list[tuple[str, str]]:
        return [trait for member in one.members for trait in known.get(member, ())]

    me, found = profile(of(own)), []
    for other in others:
        likeness = compare(me, profile(of(other)))
        if likeness.suffices:
            stored = await customer_reads.find(connection, workspace, other.root)
            found.append(
                SuggestedCustomer(
                    customer=other.root,
                    name=stored.name if stored else None,
                    score=likeness.score,
                    evidence=[Evidence(signal=s.name, points=s.points) for s in likeness.signals],
                    vetoed=_have_other_logins(own, other),
                )
            )
    return found


def _are_parted(one: Group, other: Group, separations: set[frozenset[UUID]]) -> bool:
    return any(pair & one.members and pair & other.members for pair in separations)


def _have_other_logins(one: Group, other: Group) -> bool:
    mine, theirs = ({key for key in side.proven if key[1] == "external_id"} for side in (one, other))
    return bool(mine and theirs and mine != theirs)
