"""Does a condition hold? All its fields must (AND); a list means any of. Compiled once for a rule set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contracts.inbound import InboundMessage
from contracts.workspace import Condition
from router.keywords import fold

_PLAIN = ("channel", "account", "store", "department", "locale", "trust")

Resolve = Callable[[str], str]
"""A department by slug or name -> its slug; what is none stays as it is."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A message as the conditions see it: every value folded, keyword hits found once for all rules."""

    values: dict[str, frozenset[str]]
    fields: dict[str, str]
    in_text: dict[str, str]
    in_subject: dict[str, str]


def subject_of(
    message: InboundMessage,
    *,
    trust: str,
    store: str | None,
    in_text: dict[str, str],
    in_subject: dict[str, str],
    department: Resolve,
) -> Subject:
    """`store` is the account's where the message names none; a locale `pl-PL` is also `pl`."""
    locale = fold(message.locale or "").replace("_", "-")
    values = {
        "channel": frozenset({fold(message.channel)}),
        "account": frozenset({fold(message.account)}),
        "store": frozenset({fold(store or "")}),
        "department": frozenset({fold(department(message.fields.get("department", "")))}),
        "locale": frozenset({locale, locale.partition("-")[0]}),
        "trust": frozenset({trust}),
    }
    return Subject(values, message.fields, in_text, in_subject)


class Test:
    """A condition, ready to be asked many times."""

    __test__ = False  # no test case, whatever pytest makes of the name

    def __init__(self, condition: Condition, department: Resolve) -> None:
        self._negate = condition.negate
        self._plain = [
            (name, frozenset(fold(department(v) if name == "department" else v) for v in wanted))
            for name in _PLAIN
            if (wanted := getattr(condition, name))
        ]
        self._fields = {
            name: {fold(v) for v in wanted} for name, wanted in condition.fields.items() if wanted
        }
        self._keywords = condition.keywords
        self._subject = condition.subject

    @property
    def needs(self) -> tuple[str, ...]:
        """Keywords of which at least one must be found, wherever; empty: it may hold without any."""
        return () if self._negate else self._keywords or self._subject

    def holds(self, subject: Subject) -> list[str] | None:
        """The words that matched (possibly none) when it holds, else None."""
        words = self._matched(subject)
        if self._negate:
            return [] if words is None else None
        return words

    def _matched(self, subject: Subject) -> list[str] | None:
        for name, wanted in self._plain:
            if wanted.isdisjoint(subject.values[name]):
                return None
        for name, values in self._fields.items():
            if fold(subject.fields.get(name, "")) not in values:
                return None
        words: list[str] = []
        for keywords, hits in ((self._keywords, subject.in_text), (self._subject, subject.in_subject)):
            found = [hits[keyword] for keyword in keywords if keyword in hits] if hits else []
            if keywords and not found:
                return None
            words += found
        return words
