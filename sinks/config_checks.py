"""What types cannot say about a workspace: names that must exist, that must be unique, times, zones, keywords."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import date
from typing import Any, get_args
from zoneinfo import ZoneInfo

from contracts.channels import LIMITS
from contracts.public_holidays import countries
from contracts.ticket import Priority
from contracts.workspace import Calendar, Category, Workspace
from sinks import config_mail_and_orders, people_checks, rule_checks
from sinks.config_names import Finding, Names
from sinks.yaml_files import Location

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_WITH_SLUGS = (
    *("stores", "calendars", "sla_policies", "departments", "categories", "agents", "rules", "accounts"),
    *("templates", "webhooks"),
)
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def check(workspace: Workspace) -> Iterator[Finding]:
    """Every finding, in the order of the parts. None: the workspace can be decided with."""
    known = Names(workspace)
    yield from _settings(workspace)
    yield from _unique(workspace)
    for index, calendar in enumerate(workspace.calendars):
        yield from _calendar(("calendars", index), calendar)
    yield from config_mail_and_orders.check(workspace)
    yield from _policies(workspace)
    yield from people_checks.check(workspace, known)
    for index, category in enumerate(workspace.categories):
        yield from _category(("categories", index), category, workspace, known)
    yield from rule_checks.check(workspace, known)
    yield from _accounts(workspace, known)


def _settings(workspace: Workspace) -> Iterator[Finding]:
    if not _SLUG.fullmatch(workspace.slug):
        yield ("slug",), f"`{workspace.slug}` is no slug", "Use a-z, 0-9, - and _."
    if not _is_zone(workspace.zone):
        yield ("zone",), f"no time zone `{workspace.zone}`", "Use an IANA name such as Europe/Warsaw."
    least = {"reopen_days": 0, "continuity_days": 0, "pull_limit": 1}
    for name, smallest in least.items():
        if getattr(workspace, name) < smallest:
            yield (name,), f"must be at least {smallest}", "Choose a larger number."


def _unique(workspace: Workspace) -> Iterator[Finding]:
    yield from _twice("stores", "id", workspace.stores, lambda s: s.id)
    yield from _twice("calendars", "id", workspace.calendars, lambda c: c.id)
    yield from _twice("sla_policies", "id", workspace.sla_policies, lambda p: p.id)
    yield from _twice("departments", "id", workspace.departments, lambda d: d.id)
    yield from _twice("departments", "name", workspace.departments, lambda d: d.name.casefold())
    yield from _twice("categories", "path", workspace.categories, lambda c: c.path.casefold())
    yield from _twice("agents", "id", workspace.agents, lambda a: a.id)
    yield from _twice("rules", "id", workspace.rules, lambda r: r.id)
    yield from _twice("templates", "id", workspace.templates, lambda t: t.id)
    yield from _twice("webhooks", "id", workspace.webhooks, lambda w: w.id)
    yield from _twice("categories", "id", [c for c in workspace.categories if c.id], lambda c: c.id)
    yield from _twice("accounts", "id", workspace.accounts, lambda a: (a.channel, a.id))
    for part in _WITH_SLUGS:
        for index, entry in enumerate(getattr(workspace, part)):
            if entry.id is not None and not _SLUG.fullmatch(entry.id):
                yield (part, index, "id"), f"`{entry.id}` is no slug", "Use a-z, 0-9, - and _."


def _twice(part: str, name: str, entries: Sequence[Any], key: Callable[[Any], Hashable]) -> Iterator[Finding]:
    seen: set[Hashable] = set()
    for index, entry in enumerate(entries):
        if key(entry) in seen:
            yield (part, index, name), f"`{getattr(entry, name)}` is defined twice", "Rename or remove one."
        seen.add(key(entry))


def _calendar(at: Location, calendar: Calendar) -> Iterator[Finding]:
    if not _is_zone(calendar.zone):
        yield (*at, "zone"), f"no time zone `{calendar.zone}`", "Use an IANA name such as Europe/Warsaw."
    for day, intervals in calendar.hours.items():
        if day not in WEEKDAYS:
            yield (*at, "hours", day), f"no weekday `{day}`", f"Use {', '.join(WEEKDAYS)}."
        yield from _intervals((*at, "hours", day), intervals)
    for index, day in enumerate(calendar.holidays):
        if not _is_date(day):
            yield (*at, "holidays", index), f"no date `{day}`", "Write YYYY-MM-DD."
    for name, dates in (("overrides", calendar.overrides), ("breaks", calendar.breaks)):
        for day, intervals in dates.items():
            if not _is_date(day):
                yield (*at, name, day), f"no date `{day}`", "Write YYYY-MM-DD."
            yield from _intervals((*at, name, day), intervals)
    yield from _country(at, calendar)
    if not any(calendar.hours.values()):
        yield (*at, "hours"), "never open", "A deadline needs working time: give at least one day hours."


def _country(at: Location, calendar: Calendar) -> Iterator[Finding]:
    if calendar.country is None:
        if calendar.region is not None:
            yield (*at, "region"), "a region without a country", "Add `country: …`."
    elif (regions := countries().get(calendar.country)) is None:
        yield (
            (*at, "country"),
            f"no holidays are known of `{calendar.country}`",
            "Use two capital letters, such as PL.",
        )
    elif calendar.region is not None and calendar.region not in regions:
        known = ", ".join(regions) or "none"
        yield (*at, "region"), f"no region `{calendar.region}` of {calendar.country}", f"Known: {known}."


def _intervals(at: Location, intervals: Sequence[tuple[str, str]]) -> Iterator[Finding]:
    for index, (opens, closes) in enumerate(intervals):
        for clock, also in ((opens, ()), (closes, ("24:00",))):
            if not _CLOCK.fullmatch(clock) and clock not in also:
                yield (
                    (*at, index),
                    f"no time `{clock}`",
                    'Write "HH:MM", 00:00 to 23:59; an end may be 24:00.',
                )
        if opens == closes:
            yield (*at, index), "an interval without time", 'Open all day is ["00:00", "24:00"].'


def _policies(workspace: Workspace) -> Iterator[Finding]:
    for index, policy in enumerate(workspace.sla_policies):
        at = ("sla_policies", index)
        for clock in ("first_response", "next_response", "resolution"):
            if (targets := getattr(policy, clock)) is not None:
                yield from _targets((*at, clock), targets)
        if policy.warn_minutes < 0:
            yield (*at, "warn_minutes"), "must not be negative", "0: nobody is warned."
        if policy.follow_up_minutes < 1:
            yield (*at, "follow_up_minutes"), "must be at least one minute", "Choose a larger number."
        if set(policy.pauses) - {"waiting"}:
            yield (*at, "pauses"), "only `waiting` can pause a clock", "Write `[waiting]` or `[]`."


def _targets(at: Location, targets: dict[Priority, int]) -> Iterator[Finding]:
    for priority in get_args(Priority):
        minutes = targets.get(priority)
        if minutes is None:
            yield at, f"no minutes for {priority}", f"Add `{priority}: …`."
        elif minutes < 1:
            yield (*at, priority), "must be at least one minute", "Choose a larger number."


def _category(at: Location, category: Category, workspace: Workspace, known: Names) -> Iterator[Finding]:
    parts = category.path.split("/")
    if any(not part.strip() or part != part.strip() for part in parts):
        yield (*at, "path"), f"`{category.path}` has an empty part or spaces around one", "Write `A/B/C`."
    if len({part.casefold() for part in parts}) < len(parts):
        yield (*at, "path"), f"`{category.path}` lies inside itself", "Each part of a path is another node."
    yield from known.missing((*at, "department"), "department", category.department, known.departments)
    yield from people_checks.category(at, category, workspace, known)


def _accounts(workspace: Workspace, known: Names) -> Iterator[Finding]:
    for index, account in enumerate(workspace.accounts):
        at = ("accounts", index)
        yield from known.missing((*at, "channel"), "channel", account.channel, set(LIMITS))
        yield from known.missing((*at, "store"), "store", account.store, known.stores)
        yield from known.missing((*at, "department"), "department", account.department, known.departments)
        if account.region is not None and not re.fullmatch(r"[A-Z]{2}", account.region):
            yield (*at, "region"), f"`{account.region}` is no country", "Two capital letters: PL."
        if account.address is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+", account.address):
            yield (*at, "address"), f"`{account.address}` is no e-mail address", "Write name@domain."


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        # KeyError: not there. OSError: a folder of the zone database. ValueError: leads out of it.
        return False
    return True


def _is_date(day: str) -> bool:
    try:
        return date.fromisoformat(day).isoformat() == day
    except ValueError:
        return False
