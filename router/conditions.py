"""Does a condition hold? All its fields must (AND); a list means any of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from contracts.inbound import InboundMessage
from contracts.resolved import ResolvedMessage
from contracts.workspace import Condition
from router.keywords import fold
from router.ruleset import RuleSet


@dataclass(frozen=True, slots=True)
class Subject:
    """A message as the conditions see it: keyword hits are found once for all rules."""

    resolved: ResolvedMessage
    message: InboundMessage
    in_text: dict[str, str]
    in_subject: dict[str, str]


def subject_of(resolved: ResolvedMessage, message: InboundMessage, rules: RuleSet) -> Subject:
    """One pass over the subject, one over subject and text."""
    in_subject = rules.keywords.found(message.subject or "")
    text = f"{message.subject or ''}\n{message.text or ''}"
    return Subject(resolved, message, rules.keywords.found(text), in_subject)


def holds(condition: Condition, subject: Subject) -> list[str] | None:
    """The words that matched (possibly none) when it holds, else None."""
    words = _matched(condition, subject)
    if condition.negate:
        return [] if words is None else None
    return words


def _matched(condition: Condition, subject: Subject) -> list[str] | None:
    message = subject.message
    lists = (
        (condition.channel, message.channel),
        (condition.account, message.account),
        (condition.store, message.store or ""),
        (condition.department, message.fields.get("department", "")),
        (condition.locale, message.locale or ""),
        (condition.trust, subject.resolved.customer.trust),
        *((wanted, message.fields.get(name, "")) for name, wanted in condition.fields.items()),
    )
    if not all(_any(wanted, value) for wanted, value in lists):
        return None
    words: list[str] = []
    for keywords, hits in ((condition.keywords, subject.in_text), (condition.subject, subject.in_subject)):
        found = [hits[keyword] for keyword in keywords if keyword in hits]
        if keywords and not found:
            return None
        words += found
    return words


def _any(wanted: Sequence[str] | Iterable[str], value: str) -> bool:
    wanted = tuple(wanted)
    return not wanted or fold(value) in {fold(item) for item in wanted}
