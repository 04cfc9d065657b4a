"""Who is there: what agents say of themselves, and what follows when they come or go."""

from __future__ import annotations

from datetime import datetime

import msgspec

from contracts.errors import Refused
from desk.auth import Role, Viewer
from desk.changes import Changes
from router.attendance import OFF, Missing, Presence
from router.handback import end_shifts
from router.offers import offer
from router.roster import load_of
from router.ruleset import RuleSet
from runtime.clock import Clock
from runtime.postgres import Database
from sinks.postgres import staff_store
from sinks.postgres.queue_store import pulled_by
from sinks.postgres.staff_store import AgentState


class AgentView(msgspec.Struct, frozen=True, kw_only=True):
    """An agent as colleagues see them. `presence` is what they said last (null: nothing yet) and since when; `there`: whether
    tickets are given to them now, and `why` not. `load`: what their unsolved tickets weigh, of their `capacity`."""

    agent: str
    name: str
    role: Role
    departments: tuple[str, ...]
    presence: str | None
    since: datetime | None
    there: bool
    why: Missing | None
    load: int
    capacity: int | None


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """The holder of the key. `pulled`: numbers that keep them from pulling the next ticket."""

    agent: str
    name: str | None
    role: Role
    departments: tuple[str, ...]
    presence: str | None
    there: bool
    why: Missing | None
    unsolved: int
    pulled: list[int]


class People:
    """The desk's use cases about agents."""

    def __init__(self, database: Database, clock: Clock, changes: Changes) -> None:
        self._database = database
        self._clock = clock
        self._changes = changes

    async def say(self, viewer: Viewer, agent: str, presence: Presence) -> AgentView:
        """Sets an agent's presence. Who has come gets what waits for them, up to their capacity; what somebody held who has
        gone off goes back to the queue, where their department wants it so.

        Raises `Refused`: 403 for somebody else's presence unless the viewer is a lead or an admin, 404 for nobody's.
        """
        if agent != viewer.agent and viewer.role == "agent":
            raise Refused("forbidden", "only leads and admins speak for others", status=403)
        rules, now = self._changes.rules(viewer), self._clock.now()
        if agent not in rules.agents:
            raise _unknown(agent)
        async with self._database.transaction([viewer.workspace]) as connection:
            if not await staff_store.set_presence(connection, viewer.workspace, agent, presence, now):
                raise _unknown(agent)
        missing = rules.attendance.missing(agent, presence, now)
        if missing is None:
            await offer(self._database, viewer.workspace, rules, now)
        elif missing in OFF:
            await end_shifts(self._database, viewer.workspace, rules, now, viewer.actor, agent)
        return next(view for view in await self._views(viewer, rules, now) if view.agent == agent)

    async def colleagues(self, viewer: Viewer) -> list[AgentView]:
        """Agents of the departments that the viewer may see, by id."""
        seen = viewer.visible
        views = await self._views(viewer, self._changes.rules(viewer), self._clock.now())
        return [view for view in views if seen is None or set(seen) & set(view.departments)]

    async def me(self, viewer: Viewer) -> Me:
        """The viewer, and what they hold."""
        rules, now = self._changes.rules(viewer), self._clock.now()
        async with self._database.transaction([viewer.workspace]) as connection:
            states = {s.agent: s for s in await staff_store.presences(connection, viewer.workspace)}
            pulled = await pulled_by(connection, viewer.workspace, viewer.agent)
        known = rules.agents.get(viewer.agent)
        state = states.get(viewer.agent, AgentState(viewer.agent, None, None, {}))
        missing = rules.attendance.missing(viewer.agent, state.presence, now)
        return Me(
            agent=viewer.agent,
            name=known.name if known else None,
            role=viewer.role,
            departments=viewer.departments,
            presence=state.presence,
            there=missing is None,
            why=missing,
            unsolved=sum(state.channels.values()),
            pulled=[each.number for each in pulled],
        )

    async def _views(self, viewer: Viewer, rules: RuleSet, now: datetime) -> list[AgentView]:
        async with self._database.transaction([viewer.workspace]) as connection:
            states = await staff_store.presences(connection, viewer.workspace)
        return [_view(state, rules, now) for state in states if state.agent in rules.agents]


def _view(state: AgentState, rules: RuleSet, now: datetime) -> AgentView:
    known = rules.agents[state.agent]
    missing = rules.attendance.missing(state.agent, state.presence, now)
    return AgentView(
        agent=state.agent,
        name=known.name,
        role=known.role,
        departments=rules.membership.departments(state.agent),
        presence=state.presence,
        since=state.since,
        there=missing is None,
        why=missing,
        load=load_of(state.agent, state.channels, rules),
        capacity=known.capacity,
    )


def _unknown(agent: str) -> Refused:
    return Refused("not_found", f"no agent `{agent}`", status=404)
