"""Reads what finding agents needs, under the last two locks of the order: rotations, then agents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

from contracts.ticket import Ticket
from router.facts import Staff
from router.ruleset import RuleSet
from router.staffing import needs
from runtime.postgres import Connection
from sinks.postgres import staff_store
from sinks.postgres.ticket_store import lock_rotations


class Opening(NamedTuple):
    """A ticket that somebody is to be found for; `wanted` as `staffing.find` takes it."""

    ticket: Ticket
    rules: RuleSet
    wanted: str | None = None


async def staff_for(
    connection: Connection, openings: Sequence[Opening], agents: Iterable[tuple[UUID, str]] = ()
) -> Staff:
    """Staff for all of them. Locks rotations and agents, also the named ones; loads and queues are counted after that."""
    wanted = [(opening, needs(opening.ticket, opening.rules, opening.wanted)) for opening in openings]
    named = {(o.ticket.workspace, agent) for o, need in wanted for agent in need.agents}
    weighed = {(o.ticket.workspace, a): o.rules for o, need in wanted for a in need.loads}
    queues = {(o.ticket.workspace, queue): o.rules for o, need in wanted for queue in need.waiting}
    enough = 1 + max(map(most_counted, queues.values()), default=0)
    customers = [
        (o.ticket.workspace, o.ticket.customer, o.ticket.department) for o, need in wanted if need.affinity
    ]
    rotations = await lock_rotations(connection, [need.rotation for _, need in wanted if need.rotation])
    locked = await staff_store.lock_agents(connection, named.union(agents))
    loads = await staff_store.loads(connection, weighed)
    waiting = await staff_store.waiting(connection, queues, enough)
    last_agents = await staff_store.last_agents(connection, customers)
    staff = Staff(rotations=await rotations())
    for key, row in (await locked()).items():
        if row.last_assigned_at:
            staff.last_assigned[key] = row.last_assigned_at
        if row.presence:
            staff.said[key] = row.presence
    held, many = await loads()
    staff.load = {key: load_of(key[1], channels, weighed[key]) for key, channels in held.items()}
    await staff_store.sum_loads(connection, many)
    staff.waiting, staff.last_agents = await waiting(), await last_agents()
    return staff


def load_of(agent: str, channels: dict[str, int], rules: RuleSet) -> int:
    """What an agent's tickets weigh together."""
    known = rules.agents.get(agent)
    weights = known.weights if known else {}
    return sum(count * weights.get(channel, 1) for channel, count in channels.items())


def most_counted(rules: RuleSet) -> int:
    """The longest queue that some overflow asks for."""
    entries = [entry for d in rules.workspace.departments for entry in d.overflow]
    return max((max(entry.above, entry.below or 0) for entry in entries), default=0)
