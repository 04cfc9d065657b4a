"""What types cannot say about departments and agents: who exists, whose statuses lead where, when somebody is away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime

from contracts.channels import LIMITS
from contracts.membership import Membership
from contracts.workspace import Absence, Agent, Category, Department, Workspace
from sinks.config_names import Finding, Names
from sinks.yaml_files import Location


def check(workspace: Workspace, known: Names) -> Iterator[Finding]:
    """Every finding about departments, then about agents."""
    for index, department in enumerate(workspace.departments):
        at = ("departments", index)
        yield from known.missing((*at, "calendar"), "calendar", department.calendar, known.calendars)
        yield from known.missing((*at, "sla"), "SLA policy", department.sla, known.policies)
        if department.members != "all":
            yield from _members((*at, "members"), department.members, known)
        yield from _limits(at, department)
        yield from _availability((*at, "availability"), department, known)
        yield from _overflow((*at, "overflow"), department, known)
        yield from _statuses((*at, "statuses"), department, known)
    for index, agent in enumerate(workspace.agents):
        yield from _agent(("agents", index), agent, known)


def category(at: Location, node: Category, workspace: Workspace, known: Names) -> Iterator[Finding]:
    """Findings about the people of one category."""
    yield from _members((*at, "members"), node.members or (), known)
    owner = next((d for d in workspace.departments if d.id == node.department), None)
    belong = Membership(workspace).members(owner.id) if owner is not None else ()
    active = {agent.id for agent in workspace.agents if agent.active}
    for index, agent in enumerate(node.members or ()):
        if owner is not None and agent in active and agent not in belong:
            fix = f"Add them to the members of `{owner.id}`."
            yield (*at, "members", index), f"`{agent}` is not in department `{owner.id}`", fix
    yield from _least(at, node, relax_minutes=1)


def _members(at: Location, members: Iterable[str], known: Names) -> Iterator[Finding]:
    seen: set[str] = set()
    for index, agent in enumerate(members):
        yield from known.missing((*at, index), "agent", agent, known.agents)
        if agent in seen:
            yield (*at, index), f"`{agent}` is listed twice", "Each agent has one turn."
        seen.add(agent)


def _limits(at: Location, department: Department) -> Iterator[Finding]:
    yield from _least(at, department, relax_minutes=1, pull_limit=1, lease_minutes=1, affinity_days=0)


def _least(at: Location, entry: Department | Agent | Category, **least: int) -> Iterator[Finding]:
    for name, smallest in least.items():
        value = getattr(entry, name)
        if value is not None and value < smallest:
            yield (*at, name), f"must be at least {smallest}", "Leave it out for no limit."


def _availability(at: Location, department: Department, known: Names) -> Iterator[Finding]:
    for channel, calendar in department.availability.items():
        yield from known.missing((*at, channel), "channel", channel, set(LIMITS))
        yield from known.missing((*at, channel), "calendar", calendar, known.calendars)


def _overflow(at: Location, department: Department, known: Names) -> Iterator[Finding]:
    for index, entry in enumerate(department.overflow):
        yield from known.missing((*at, index, "to"), "department", entry.to, known.departments)
        if entry.to == department.id:
            yield (*at, index, "to"), f"`{entry.to}` cannot help itself out", "Name another department."
        if entry.above < 0:
            yield (*at, index, "above"), "must be at least 0", ""
        if entry.below is not None and entry.below < 1:
            yield (*at, index, "below"), "must be at least 1", "Leave it out to be helped at any time."


def _statuses(at: Location, department: Department, known: Names) -> Iterator[Finding]:
    names = [status.name for status in department.statuses]
    if not names:
        return
    for index, status in enumerate(department.statuses):
        if names.index(status.name) != index:
            yield (*at, index, "name"), f"`{status.name}` is defined twice", "Rename or remove one."
        for place, following in enumerate(status.next):
            yield from known.missing((*at, index, "next", place), "status", following, set(names))
    if department.statuses[0].means != "new":
        yield (*at, 0, "means"), "the first status is that of new tickets", "Write `means: new`."
    if all(status.means != "solved" for status in department.statuses):
        yield at, "no status means solved", "Tickets must have an end: give one `means: solved`."


def _agent(at: Location, agent: Agent, known: Names) -> Iterator[Finding]:
    yield from known.missing((*at, "calendar"), "calendar", agent.calendar, known.calendars)
    for name, kind, defined in (
        ("departments", "department", known.departments),
        ("categories", "category", known.categories),
    ):
        for index, value in enumerate(getattr(agent, name) or ()):
            yield from known.missing((*at, name, index), kind, value, defined)
    yield from _least(at, agent, pull_limit=1, capacity=0)
    for channel, weight in agent.weights.items():
        yield from known.missing((*at, "weights", channel), "channel", channel, set(LIMITS))
        if weight < 0:
            yield (*at, "weights", channel), "must be at least 0", "0: its tickets take no capacity."
    for index, absence in enumerate(agent.absences):
        yield from _absence((*at, "absences", index), agent, absence, known)


def _absence(at: Location, agent: Agent, absence: Absence, known: Names) -> Iterator[Finding]:
    wrong = False
    for name, value in (("from", absence.first), ("to", absence.last)):
        if not _is_local(value):
            wrong = True
            yield (*at, name), f"no date or local time `{value}`", "Write YYYY-MM-DD or YYYY-MM-DDTHH:MM."
    if not wrong and absence.last[:10] < absence.first[:10]:
        yield (*at, "to"), "ends before it begins", "`from` comes first."
    yield from known.missing((*at, "deputy"), "agent", absence.deputy, known.agents)
    if absence.deputy == agent.id:
        yield (*at, "deputy"), f"`{agent.id}` cannot stand in for themselves", "Name another agent."


def _is_local(value: str) -> bool:
    try:
        if len(value) == 10:
            return date.fromisoformat(value).isoformat() == value
        return datetime.fromisoformat(value).strftime("%Y-%m-%dT%H:%M") == value
    except ValueError:
        return False
