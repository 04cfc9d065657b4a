"""Which deadlines will be missed, as far as can be seen: open work against the people who are there and their pace."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID

from router.ruleset import RuleSet
from router.watch import Watch
from runtime import metrics
from sinks.postgres.sql import queries

_HORIZON = timedelta(hours=4)
"""Who will be there later than this is not known."""
_PAST = timedelta(hours=4)
_USUAL_MINUTES = 15.0
"""What a ticket takes one agent, where nobody has finished any lately."""

Pace = Mapping[tuple[UUID, str], float | None]
"""Workspace and department -> minutes from one ticket done to the next; None: nobody is there."""


class Outlook(Watch):
    """Each 30 seconds: `frontdesk_breaches_projected`, over all workspaces."""

    seconds = 30.0

    async def tick(self) -> None:
        await self._database.open()
        now = self._clock.now()
        pace = await self._pace(now)
        rows = await self._database.fetch(
            [],
            queries("gauges")["projected"],
            {
                "now": now,
                "horizon": now + _HORIZON,
                "workspaces": [workspace for workspace, _ in pace],
                "departments": [department for _, department in pace],
                "minutes": list(pace.values()),
            },
        )
        metrics.breaches_projected.clear()
        for _, department in pace:
            metrics.breaches_projected.labels(department).set(0)
        for department, count in rows:
            metrics.breaches_projected.labels(department).set(count)

    async def _pace(self, now: datetime) -> Pace:
        said: dict[UUID, dict[str, str | None]] = {}
        for workspace, agent, presence in await self._database.fetch([], queries("gauges")["present"]):
            said.setdefault(workspace, {})[agent] = presence
        await self._workspaces.refresh(said)
        rows = await self._database.fetch([], queries("gauges")["done"], {"since": now - _PAST})
        done = {(workspace, department): count for workspace, department, count in rows}
        found: dict[tuple[UUID, str], float | None] = {}
        for workspace, words in said.items():
            rules = self._rules.get(workspace)
            for department, people in present(rules, words, now).items() if rules is not None else ():
                found[(workspace, department)] = minutes_each(people, done.get((workspace, department), 0))
        return found


def present(rules: RuleSet, said: Mapping[str, str | None], now: datetime) -> dict[str, int]:
    """Department -> how many of its members are there."""
    return {
        department.id: sum(
            rules.attendance.missing(agent, said.get(agent), now) is None
            for agent in rules.members(department.id, None)
        )
        for department in rules.workspace.departments
    }


def minutes_each(people: int, done: int) -> float | None:
    """Minutes from one ticket done to the next with so many people, `done` of them in the last hours. Without a past each of
    them takes the usual time; nobody who is there finishes nothing."""
    if people == 0:
        return None
    return _PAST.total_seconds() / 60 / done if done else _USUAL_MINUTES / people
