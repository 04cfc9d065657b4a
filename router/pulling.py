"""Which queues an agent may pull from: their own, as far as they know how, and those that they help out with. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from contracts.ticket import Ticket
from contracts.workspace import Department
from router.ruleset import RuleSet
from router.staffing import has_skills, relaxed_since, speaks
from sinks.postgres.queue_store import Pair, Share


def shares(
    agent: str,
    pairs: Iterable[Pair],
    rules: RuleSet,
    waiting: Mapping[str, int],
    now: datetime,
) -> list[Share]:
    """Of the queues in which something waits, those that the agent may pull from. `waiting`: tickets in each department's
    queue, as far as `asked` names it."""
    own = rules.membership.departments(agent)
    found = []
    for department, category in pairs:
        known = rules.department(department)
        if not rules.workspace.departments:
            # Nobody has been given anything of their own: everything is everybody's.
            found.append(Share(department, category))
        elif known is None or known.id != department or not known.to_solve:
            continue
        elif department in own:
            found += _own(agent, known, category, rules, now)
        elif _helps(agent, known, rules, waiting) and has_skills(agent, category, rules):
            found.append(Share(department, category, most=known.pull_limit))
    return found


def reach(agent: str, rules: RuleSet) -> tuple[str, ...] | None:
    """Departments in whose queues the agent may find something, None: in every one."""
    if not rules.workspace.departments:
        return None
    return tuple(sorted({*rules.membership.departments(agent), *asked(agent, rules)}))


def is_offered(ticket: Ticket, wanted: Iterable[Share], agent: str, rules: RuleSet) -> bool:
    """Whether the ticket is in one of these queues, for this agent: what the query that takes from them sees to, said once
    more for the counter of R-49."""
    spoken = speaks(agent, ticket.language, rules)
    return any(
        (share.skilled and spoken)
        or (share.cutoff is not None and ticket.held_since is not None and ticket.held_since <= share.cutoff)
        for share in wanted
        if (share.department, share.category) == (ticket.department, ticket.category)
    )


def asked(agent: str, rules: RuleSet) -> list[str]:
    """Departments whose queues must be counted, since the agent might help out."""
    helped = [
        department
        for department in rules.workspace.departments
        if any(agent in rules.members(entry.to, None) for entry in department.overflow)
    ]
    named = {d.id for d in helped} | {entry.to for d in helped for entry in d.overflow}
    return sorted(named)


def _own(
    agent: str, department: Department, category: str | None, rules: RuleSet, now: datetime
) -> list[Share]:
    if agent not in rules.members(department.id, category):
        return []
    skilled, since = has_skills(agent, category, rules), relaxed_since(category, department.id, rules, now)
    share = Share(department.id, category, skilled, since, department.pull_limit)
    return [share] if skilled or since else []


def _helps(agent: str, department: Department, rules: RuleSet, waiting: Mapping[str, int]) -> bool:
    return any(
        agent in rules.members(entry.to, None)
        and waiting.get(department.id, 0) > entry.above
        and (entry.below is None or waiting.get(entry.to, 0) < entry.below)
        for entry in department.overflow
    )
