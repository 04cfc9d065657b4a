"""Does a condition hold? All its fields must (AND); a list means any of. Compiled once for a rule set."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from contracts.channels import SOURCES
from contracts.rules import Condition, TicketState
from router.fuzzy import Tokens, alike
from router.keywords import fold

Resolve = Callable[[str], str]
"""A department by slug or name -> its slug; what is none stays as it is."""
Match = dict[str, float | None]
"""Words that matched, folded -> how alike they are, of 100, where that was asked for."""

PLACES = ("keywords", "subject", "text")
"""Fields that hold keywords: anywhere, in the subject alone, in the text alone."""

PROVEN = ("channel", "verified", "authoritative")
"""Trust in a sender who is the customer, and does not only say so."""

_LISTS = (
    *("channel", "account", "store", "sender", "trust", "customer_tags", "order_status"),
    *("language", "locale", "country", "department", "category"),
)
_FLAGS = ("has_order", "attachments")
_TICKET_LISTS = ("status", "department", "category", "priority", "tags", "agent")
_DEPARTMENTS = ("department", "ticket.department")


def flag(value: bool) -> str:
    """Yes and no as a value like any other."""
    return "true" if value else "false"


def clock(calendar: str | None) -> str:
    """The name of the value that says whether this calendar (None: the department's own) is open."""
    return f"working_time {calendar or ''}".strip()


@dataclass(slots=True)
class Subject:
    """A message or a ticket as the conditions see it: every value folded, keyword hits found once for all rules."""

    values: dict[str, frozenset[str]]
    """By the name of the condition's field; those of the ticket begin with `ticket.`."""
    fields: dict[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    """Types and names of attachments."""
    hits: dict[str, dict[str, str]] = field(default_factory=dict)
    """Place -> keyword -> the words it matched."""
    tokens: dict[str, Tokens] = field(default_factory=dict)
    """Place -> its words, where a rule looks for similar ones."""


class Test:
    """A condition, ready to be asked many times."""

    __test__ = False  # no test case, whatever pytest makes of the name

    def __init__(self, condition: Condition, department: Resolve) -> None:
        self._negate = condition.negate
        self._values = [
            (name, frozenset(fold(department(v) if name in _DEPARTMENTS else v) for v in wanted))
            for name, wanted in wanted_values(condition)
        ]
        self._fields = {
            name: frozenset(map(fold, values)) for name, values in condition.fields.items() if values
        }
        self._files = [fold(pattern) for pattern in condition.attachment_types]
        self._keywords = [(place, keywords) for place in PLACES if (keywords := getattr(condition, place))]
        self._fuzzy = condition.fuzzy

    @property
    def needs(self) -> tuple[str, ...]:
        """Keywords of which at least one must be found, wherever; empty: it may hold without any."""
        return () if self._negate or self._fuzzy or not self._keywords else self._keywords[0][1]

    def holds(self, subject: Subject) -> Match | None:
        """The words that matched (possibly none) when it holds, else None."""
        words = self._matched(subject)
        if self._negate:
            return {} if words is None else None
        return words

    def _matched(self, subject: Subject) -> Match | None:
        for name, wanted in self._values:
            if wanted.isdisjoint(subject.values.get(name, ())):
                return None
        for name, values in self._fields.items():
            given = fold(subject.fields.get(name, "")).strip()
            if given not in values and not (given and "*" in values):
                return None
        if self._files and not any(fnmatchcase(file, p) for file in subject.files for p in self._files):
            return None
        words: Match = {}
        for place, keywords in self._keywords:
            found = self._words(subject, place, keywords)
            if not found:
                return None
            words |= found
        return words

    def _words(self, subject: Subject, place: str, keywords: tuple[str, ...]) -> Match:
        hits = subject.hits.get(place, {})
        found: Match = {hits[keyword]: None for keyword in keywords if keyword in hits}
        if self._fuzzy and not found and place in subject.tokens:
            found |= alike(keywords, subject.tokens[place], self._fuzzy)
        return found


def wanted_values(condition: Condition) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Field -> values of which the subject must have one."""
    for name in _LISTS:
        if wanted := getattr(condition, name):
            yield name, wanted
    if condition.customer_tags and not condition.trust:
        # Whoever types a customer's address is not that customer.
        yield "trust", PROVEN
    for name in _FLAGS:
        if (asked := getattr(condition, name)) is not None:
            yield name, (flag(asked),)
    if condition.source:
        yield "channel", tuple(c for s in condition.source for c in SOURCES.get(fold(s), (s,)))
    if condition.working_time is not None:
        yield clock(condition.calendar), (flag(condition.working_time),)
    if condition.ticket is not None:
        yield from _ticket_values(condition.ticket)


def _ticket_values(state: TicketState) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name in _TICKET_LISTS:
        if wanted := getattr(state, name):
            yield f"ticket.{name}", wanted
    if state.assigned is not None:
        yield "ticket.assigned", (flag(state.assigned),)
