"""Pull-next: the most urgent ticket that nobody has, among those that the agent may have and knows how to do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from contracts.errors import Refused
from desk.auth import Viewer, acting
from desk.changes import Changes
from router.leases import leased
from router.pulling import asked, is_offered, reach, shares
from router.roster import most_counted
from router.ruleset import RuleSet
from router.staffing import languages
from router.statuses import taken_up
from runtime import metrics
from runtime.clock import Clock
from runtime.postgres import Connection, Database
from sinks.postgres import staff_store
from sinks.postgres.queue_store import Held, Pair, Puller, Share, take_first, take_next
from sinks.postgres.rows import StoredTicket, replace
from sinks.postgres.ticket_changes import write_change


class PullLimit(Refused):
    """The agent must first solve, hand on or set to waiting what was pulled before."""

    def __init__(self, held: Sequence[Held]) -> None:
        self.numbers = tuple(each.number for each in held)
        listed = ", ".join(map(str, self.numbers))
        super().__init__("pull_limit", f"first solve, set to waiting or hand on ticket {listed}", status=409)


class Pull:
    """The desk's use case."""

    def __init__(self, database: Database, clock: Clock, changes: Changes) -> None:
        self._database = database
        self._clock = clock
        self._changes = changes
        self._waited: dict[tuple[UUID, tuple[str, ...] | None], list[Pair]] = {}
        """What waited in these departments when somebody pulled last. It mostly still does: to guess so saves every pull
        the wait for the answer, which is then compared."""

    async def next(self, viewer: Viewer) -> StoredTicket | None:
        """The next ticket for this agent, now theirs; None when none waits for them. Raises `PullLimit`.

        However many agents pull at once, no two get the same ticket, and no agent gets past a limit.
        """
        rules, now = self._changes.rules(viewer), self._clock.now()
        departments, puller = reach(viewer.agent, rules), _puller(viewer, rules)
        guess = self._guess(viewer, departments, rules, now)
        async with acting(self._database, viewer) as connection:
            stored, held, waiting = await take_first(connection, puller, guess, departments)
            self._waited[(viewer.workspace, departments)] = waiting
            _check(held or (), puller)
            wanted = await _shares(connection, viewer, rules, waiting, now)
            left, missed = _within(wanted, held or (), rules), not set(wanted) <= set(guess)
            if left and (stored is None or missed):
                stored = await take_next(connection, puller, left, again=not missed) or stored
            if stored is None:
                return None
            if held is None:
                raise Refused("unknown_agent", "the configuration has no such agent", status=403)
            _within([_share(stored)], held, rules)
            if not is_offered(stored.ticket, {*guess, *wanted}, viewer.agent, rules):
                metrics.unqualified_offers.labels(stored.ticket.department).inc()
            return await _give(connection, viewer, stored, rules, now)

    def _guess(
        self, viewer: Viewer, departments: tuple[str, ...] | None, rules: RuleSet, now: datetime
    ) -> list[Share]:
        """None where the agent might help out: whether they may depends on how much waits."""
        waited = self._waited.get((viewer.workspace, departments), ())
        return [] if asked(viewer.agent, rules) else shares(viewer.agent, waited, rules, {}, now)


def _puller(viewer: Viewer, rules: RuleSet) -> Puller:
    known = rules.agents.get(viewer.agent)
    limit = known.pull_limit if known is not None else None
    most = rules.workspace.pull_limit if limit is None else limit
    return Puller(viewer.workspace, viewer.agent, languages(viewer.agent, rules), most)


async def _shares(
    connection: Connection, viewer: Viewer, rules: RuleSet, waiting: Sequence[Pair], now: datetime
) -> list[Share]:
    queues = [(viewer.workspace, department) for department in asked(viewer.agent, rules)]
    counted = await staff_store.waiting(connection, queues, 1 + most_counted(rules))
    lengths = {department: count for (_, department), count in (await counted()).items()}
    return shares(viewer.agent, waiting, rules, lengths, now)


async def _give(
    connection: Connection, viewer: Viewer, stored: StoredTicket, rules: RuleSet, now: datetime
) -> StoredTicket:
    before = stored.ticket
    ticket = leased(taken_up(replace(before, agent=viewer.agent)), rules, now)
    detail = {"agent": [None, viewer.agent], "status": [before.status, ticket.status], "pulled": True}
    return await write_change(
        connection,
        stored,
        ticket,
        actor=viewer.actor,
        change="assigned",
        detail=detail,
        now=now,
        pulled=True,
    )


def _check(held: Sequence[Held], puller: Puller) -> None:
    if len(held) >= puller.most:
        raise PullLimit(held)


def _within(wanted: list[Share], held: Sequence[Held], rules: RuleSet) -> list[Share]:
    """Without departments of which the agent has as many as they allow. Raises `PullLimit` when that leaves nothing."""
    full = {each.department for each in held if _is_full(each.department, held, rules)}
    left = [share for share in wanted if share.department not in full]
    if wanted and not left:
        raise PullLimit([each for each in held if each.department in full])
    return left


def _is_full(department: str, held: Sequence[Held], rules: RuleSet) -> bool:
    known = rules.department(department)
    limit = known.pull_limit if known else None
    return limit is not None and sum(each.department == department for each in held) >= limit


def _share(stored: StoredTicket) -> Share:
    return Share(stored.ticket.department, stored.ticket.category)
