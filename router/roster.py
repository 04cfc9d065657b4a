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
    rotations = await lock_rotations(connection, [need.rotation for _, need in wanted if need.rotation])
    keys = {(o.ticket.workspace, agent) for o, need in wanted for agent in need.agents}
    rows = await staff_store.lock_agents(connection, keys.union(agents))
    staff = Staff(rotations=rotations)
    staff.last_assigned = {key: row.last_assigned_at for key, row in rows.items() if row.last_assigned_at}
    staff.said = {key: row.presence for key, row in rows.items() if row.presence}
    weighed = {(o.ticket.workspace, a): o.rules for o, need in wanted for a in need.loads}
    for key, channels in (await staff_store.loads(connection, weighed)).items():
        staff.load[key] = load_of(key[1], channels, weighed[key])
    queues = {(o.ticket.workspace, queue): o.rules for o, need in wanted for queue in need.waiting}
    if queues:
        enough = 1 + max(most_counted(rules) for rules in queues.values())
        staff.waiting = await staff_store.waiting(connection, queues, enough)
    customers = [
        (o.ticket.workspace, o.ticket.customer, o.ticket.department) for o, need in wanted if need.affinity
    ]
    staff.last_agents = await staff_store.last_agents(connection, customers)
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
