"""Who gets a ticket: a rule's order, the customer's last agent, the method among the members who are there, have room and
know how; else a department that helps out; else the queue. Pure: what was read is in the record."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from itertools import filterfalse
from typing import Any, NamedTuple

import msgspec

from contracts.calendars import NeverOpen
from contracts.rules import METHODS, NOBODY, Method
from contracts.ticket import Ticket
from contracts.workspace import Department
from router.assign import Candidates, Choice, choose, shown
from router.deadlines import before
from router.facts import RotationKey, Staff
from router.ruleset import RuleSet


class Found(msgspec.Struct, frozen=True):
    """The agent, or None for the queue. `record` is for the decision record; `rotation` the turns after, when they moved."""

    agent: str | None
    record: dict[str, Any]
    rotation: tuple[RotationKey, tuple[str, ...]] | None = None
    weight: int = 1
    held_back: bool = False
    """It is to stay in the queue: a rule says so."""


class Needs(NamedTuple):
    """What must be locked and read to find somebody for one ticket."""

    rotation: RotationKey | None = None
    agents: tuple[str, ...] = ()
    loads: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    affinity: bool = False


def needs(ticket: Ticket, rules: RuleSet, wanted: str | None = None) -> Needs:
    """`wanted` as in `find`."""
    if wanted is not None and wanted not in METHODS:
        return Needs(agents=tuple(dict.fromkeys((wanted, *rules.attendance.deputies(wanted)))))
    method, department = _method(ticket, rules, wanted), rules.department(ticket.department)
    if department is None or not department.to_solve or method == "queue":
        return Needs()
    members = rules.members(ticket.department, ticket.category)
    helpers = _helpers(department, members, rules)
    loads = members if method == "least_open" else tuple(m for m in members if _is_limited(m, rules))
    named = [department.id, *(entry.to for entry in department.overflow)] if department.overflow else []
    return Needs(
        rotation_key(ticket) if method == "round_robin" else None,
        (*members, *helpers),
        (*loads, *helpers),
        tuple(named),
        department.affinity_days > 0,
    )


def find(
    ticket: Ticket,
    staff: Staff,
    rules: RuleSet,
    now: datetime,
    wanted: str | None = None,
    by: str = "rule",
    passed: Collection[str] = (),
) -> Found:
    """Somebody for a ticket that nobody has. `wanted`: an agent, `nobody` or a method that goes before the department's, as
    `by` says; `passed`: agents who are left out this time."""
    if wanted is not None and wanted not in METHODS:
        return _ordered(ticket, wanted, by, staff, rules, now)
    method, department = _method(ticket, rules, wanted), rules.department(ticket.department)
    record: dict[str, Any] = {"method": method}
    if department is None or not department.to_solve or method == "queue":
        reason = "method:queue" if method == "queue" else "department:not_to_solve"
        return Found(None, record | {"reason": reason, "agent": None})
    team = _Team(ticket, staff, rules, now, passed)
    choice = team.last_agent(department, method) or team.by(method)
    if choice.agent is None:
        choice = team.overflow(department) or choice
    record |= {"reason": choice.reason, "agent": choice.agent, **shown(team.candidates), **team.read}
    moved = None
    if choice.turns is not None:
        record["rotation"] = {"before": list(choice.turns.before), "after": list(choice.turns.after)}
        moved = (rotation_key(ticket), choice.turns.after)
    return Found(choice.agent, record, moved, _weight(choice.agent, ticket, rules) if choice.agent else 1)


def staff_of(record: dict[str, Any], ticket: Ticket) -> Staff:
    """What `find` read, from its record: found again from it, the record has the same bytes."""
    workspace, staff = ticket.workspace, Staff()
    if "rotation" in record:
        staff.rotations[rotation_key(ticket)] = tuple(record["rotation"]["before"])
    staff.said |= {(workspace, a): state for state, who in record.get("said", {}).items() for a in who}
    staff.load |= {(workspace, agent): load for agent, load in record.get("load", {}).items()}
    staff.waiting |= {(workspace, queue): count for queue, count in record.get("waiting", {}).items()}
    for agent, at in record.get("last_assigned", {}).items():
        staff.last_assigned[(workspace, agent)] = datetime.fromisoformat(at)
    if last := record.get("last_agent"):
        key = (workspace, ticket.customer, ticket.department)
        staff.last_agents[key] = (last["agent"], datetime.fromisoformat(last["at"]))
    return staff


def rotation_key(ticket: Ticket) -> RotationKey:
    """A category with its own members or method has its own rotation."""
    return (ticket.workspace, ticket.department, ticket.category_id or ticket.category or "")


def has_skills(agent: str, category: str | None, rules: RuleSet) -> bool:
    """Whether the agent has what the category asks for."""
    known, node = rules.agents.get(agent), rules.category(category)
    return known is not None and (node is None or set(node.skills) <= set(known.skills))


def languages(agent: str, rules: RuleSet) -> tuple[str, ...]:
    """Those that the agent names; who names none knows all."""
    known = rules.agents.get(agent)
    return known.languages if known else ()


def speaks(agent: str, language: str | None, rules: RuleSet) -> bool:
    """Whether the agent knows the ticket's language. A text whose language is unknown is for everybody."""
    known = languages(agent, rules)
    return language is None or not known or language in known


def relaxed_since(category: str | None, department: str, rules: RuleSet, now: datetime) -> datetime | None:
    """Tickets of this kind that have waited since then need neither skills nor language any more; None: they always do."""
    node, group = rules.category(category), rules.department(department)
    minutes = node.relax_minutes if node is not None and node.relax_minutes is not None else None
    if minutes is None:
        minutes = group.relax_minutes if group else None
    if minutes is None:
        return None
    try:
        return before(now, 60 * minutes, rules.calendar(department))
    except NeverOpen:
        return None


class _Team:
    """The members who could get one ticket. `read` collects what was read of the staff, for the record."""

    def __init__(
        self, ticket: Ticket, staff: Staff, rules: RuleSet, now: datetime, passed: Collection[str]
    ) -> None:
        self._ticket, self._staff, self._rules, self._now = ticket, staff, rules, now
        self._passed = passed
        self.read: dict[str, Any] = {}
        self.members = rules.members(ticket.department, ticket.category)
        node = rules.category(ticket.category)
        self._asks = ticket.language is not None or (node is not None and bool(node.skills))
        self.candidates = self._among(self.members, relaxed=self._is_relaxed())

    def by(self, method: Method) -> Choice:
        """As the method has it among those who can."""
        staff, ticket = self._staff, self._ticket
        if method == "least_open" and self.candidates.present:
            return self._least(self.members, self.candidates, "method:least_open")
        choice = choose(method, self.members, self.candidates, staff.rotations.get(rotation_key(ticket), ()))
        if choice.agent is None:
            return Choice(None, _why(self.candidates))
        return choice

    def last_agent(self, department: Department, method: Method) -> Choice | None:
        """Whoever had this customer's last ticket here, or their deputy: it takes their turn."""
        key = (self._ticket.workspace, self._ticket.customer, department.id)
        if not department.affinity_days or key not in self._staff.last_agents:
            return None
        agent, at = self._staff.last_agents[key]
        self.read["last_agent"] = {"agent": agent, "at": at.isoformat()}
        if self._now - at > timedelta(days=department.affinity_days):
            return None
        for chosen in (agent, self._rules.attendance.deputy(agent, self._now)):
            if chosen in self.candidates.present and chosen is not None:
                alone = Candidates((chosen,), {})
                turns = self._staff.rotations.get(rotation_key(self._ticket), ())
                return Choice(chosen, "affinity", choose(method, self.members, alone, turns).turns)
        return None

    def overflow(self, department: Department) -> Choice | None:
        """The helping agent with the least load, of the first department that helps now."""
        workspace, waiting = self._ticket.workspace, self._staff.waiting
        for entry in department.overflow:
            here, there = waiting.get((workspace, department.id), 0), waiting.get((workspace, entry.to), 0)
            self.read.setdefault("waiting", {}).update({department.id: here, entry.to: there})
            # The ticket itself is one more in the queue.
            if here + 1 <= entry.above or (entry.below is not None and there >= entry.below):
                continue
            helpers = tuple(a for a in self._rules.members(entry.to, None) if a not in self.members)
            able = self._among(helpers, relaxed=False)
            if able.present:
                return self._least(helpers, able, f"overflow:{entry.to}")
        return None

    def _least(self, members: tuple[str, ...], able: Candidates, reason: str) -> Choice:
        workspace, staff = self._ticket.workspace, self._staff
        loads = {agent: staff.load.get((workspace, agent), 0) for agent in able.present}
        last = {a: at for a in able.present if (at := staff.last_assigned.get((workspace, a)))}
        self.read.setdefault("load", {}).update(loads)
        self.read.setdefault("last_assigned", {}).update({a: at.isoformat() for a, at in last.items()})
        return Choice(choose("least_open", members, able, (), loads, last).agent, reason)

    def _among(self, members: tuple[str, ...], *, relaxed: bool) -> Candidates:
        refused = {agent: why for agent in self._asked(members) if (why := self._refusal(agent, relaxed))}
        present = tuple(agent for agent in members if agent not in refused) if refused else members
        return Candidates(present, refused)

    def _asked(self, members: tuple[str, ...]) -> Iterable[str]:
        """Those of whom something is to be found out: with a hundred members most need not be looked at for every ticket."""
        if self._asks or self._staff.said or self._passed:
            return members
        free = self._rules.attendance.free(self._now)
        return filterfalse(free.__contains__, members)

    def _refusal(self, agent: str, relaxed: bool) -> str | None:
        key = (self._ticket.workspace, agent)
        said = self._staff.said.get(key) if self._staff.said else None
        if said is not None:
            self.read.setdefault("said", {}).setdefault(said, []).append(agent)
        missing = self._rules.attendance.missing(agent, said, self._now)
        if missing is not None:
            return missing
        if agent in self._passed:
            return "had_one"
        if self._asks and not relaxed and not self._knows_how(agent):
            return "not_qualified"
        capacity = self._rules.agents[agent].capacity
        if capacity is None:
            return None
        load = self.read.setdefault("load", {})[agent] = self._staff.load.get(key, 0)
        return "at_capacity" if load + _weight(agent, self._ticket, self._rules) > capacity else None

    def _knows_how(self, agent: str) -> bool:
        ticket, rules = self._ticket, self._rules
        return has_skills(agent, ticket.category, rules) and speaks(agent, ticket.language, rules)

    def _is_relaxed(self) -> bool:
        ticket = self._ticket
        if ticket.held_since is None:
            return False
        since = relaxed_since(ticket.category, ticket.department, self._rules, self._now)
        return since is not None and ticket.held_since <= since


def _ordered(ticket: Ticket, wanted: str, by: str, staff: Staff, rules: RuleSet, now: datetime) -> Found:
    """A rule names an agent, or nobody; in place of an absent one the deputy, else the queue. Who took a call was there."""
    record: dict[str, Any] = {"method": _method(ticket, rules, None)}
    if wanted == NOBODY:
        return Found(None, record | {"reason": f"{by}:nobody", "agent": None}, held_back=True)
    if by == "call" and wanted in rules.agents:
        return Found(wanted, record | {"reason": "call:agent", "agent": wanted})
    chosen = ((wanted, f"{by}:agent"), (rules.attendance.deputy(wanted, now), f"{by}:deputy"))
    read: dict[str, Any] = {}
    for agent, reason in chosen:
        if agent is None:
            continue
        said = staff.said.get((ticket.workspace, agent))
        if said is not None:
            read.setdefault("said", {}).setdefault(said, []).append(agent)
        if rules.attendance.missing(agent, said, now) is None:
            weight = _weight(agent, ticket, rules)
            return Found(agent, record | {"reason": reason, "agent": agent, **read}, None, weight)
    return Found(None, record | {"reason": f"{by}:absent_agent", "agent": None, **read})


def _method(ticket: Ticket, rules: RuleSet, wanted: str | None) -> Method:
    if wanted in METHODS:
        return wanted  # type: ignore[return-value]
    return rules.method(ticket.department, ticket.category)


def _helpers(department: Department, members: tuple[str, ...], rules: RuleSet) -> tuple[str, ...]:
    found = [agent for entry in department.overflow for agent in rules.members(entry.to, None)]
    return tuple(dict.fromkeys(agent for agent in found if agent not in members))


def _is_limited(agent: str, rules: RuleSet) -> bool:
    known = rules.agents.get(agent)
    return known is not None and known.capacity is not None


def _weight(agent: str, ticket: Ticket, rules: RuleSet) -> int:
    known = rules.agents.get(agent)
    return known.weights.get(ticket.channel, 1) if known else 1


def _why(candidates: Candidates) -> str:
    """Why nobody can: room is what those who are there and know how lack, knowledge what those who are there do."""
    reasons = set(candidates.refused.values())
    if "had_one" in reasons:
        return "everybody_had_one"
    if "at_capacity" in reasons:
        return "no_free_agent"
    return "no_qualified_agent" if "not_qualified" in reasons else "no_present_agent"
