"""What conditions read, made of a message, a ticket and what is known of the customer. Only what some rule asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

import msgspec
import phonenumbers

from contracts.calendars import WorkingHours
from contracts.inbound import InboundMessage
from contracts.resolved import Order
from contracts.rules import Condition
from contracts.ticket import Ticket
from router.conditions import PLACES, PROVEN, Resolve, Subject, clock, flag, wanted_values
from router.fuzzy import tokens
from router.keywords import Keywords, fold
from router.language import Detector

_NONE: frozenset[str] = frozenset()


class Known(msgspec.Struct, frozen=True):
    """What conditions may read besides the message and the ticket. It goes into the record where a rule asks for it."""

    trust: str = "none"
    tags: tuple[str, ...] = ()
    """The customer's."""
    orders: tuple[Order, ...] = ()

    @property
    def proven_tags(self) -> tuple[str, ...]:
        """The customer's, if it is the customer who writes: what somebody only says of themselves makes nothing urgent (I2)."""
        return self.tags if self.trust in PROVEN else ()


class Asked(msgspec.Struct, frozen=True):
    """One question to the rules. `at`: the moment that counts for working time; `store` and `hours` are the account's or the
    ticket's; `ticket` is None while the message may open one."""

    message: InboundMessage | None
    ticket: Ticket | None
    known: Known
    at: datetime
    store: str | None
    hours: WorkingHours


class Reader:
    """Compiled once for a rule set from all its conditions."""

    def __init__(
        self,
        conditions: Iterable[Condition],
        languages: tuple[str, ...],
        calendars: dict[str, WorkingHours],
        department: Resolve,
    ) -> None:
        asked = list(conditions)
        self._keywords = Keywords(word for c in asked for place in PLACES for word in getattr(c, place))
        self._names = {name for c in asked for name, _ in wanted_values(c)}
        self._fuzzy = any(c.fuzzy for c in asked)
        self._files = any(c.attachment_types for c in asked)
        self._department = department
        self.detector = Detector(languages)
        self._clocks = {
            clock(c.calendar): calendars.get(c.calendar or "") for c in asked if c.working_time is not None
        }

    def reads(self, name: str) -> bool:
        """Whether any condition asks for this field."""
        return name in self._names

    def subject(self, asked: Asked) -> Subject:
        """The question as conditions see it."""
        subject = Subject({name: self._value(name, asked) for name in self._names if name in _VALUES})
        subject.values |= {
            name: frozenset({flag((hours or asked.hours).is_open(asked.at))})
            for name, hours in self._clocks.items()
        }
        if asked.message is not None:
            self._read_message(subject, asked.message)
        if asked.ticket is not None:
            self._read_ticket(subject, asked.ticket)
        return subject

    def _value(self, name: str, asked: Asked) -> frozenset[str]:
        if name == "language":
            language = self.detector.language(text_of(asked.message)) if asked.message else None
            return frozenset({language}) if language else _NONE
        if name == "department":
            picked = asked.message.fields.get("department", "") if asked.message else ""
            return frozenset({fold(self._department(picked))}) if picked.strip() else _NONE
        return _VALUES[name](asked)

    def _read_message(self, subject: Subject, message: InboundMessage) -> None:
        subject.fields = message.fields
        title, text = message.subject or "", message.text or ""
        in_subject, in_text = self._keywords.found(title), self._keywords.found(text)
        subject.hits = {"keywords": {**in_subject, **in_text}, "subject": in_subject, "text": in_text}
        if self._fuzzy:
            subject.tokens = {"subject": tokens(title), "text": tokens(text)}
            subject.tokens["keywords"] = (*subject.tokens["subject"], *subject.tokens["text"])
        if self._files:
            subject.files = tuple(fold(value) for a in message.attachments for value in (a.type, a.name))

    def _read_ticket(self, subject: Subject, ticket: Ticket) -> None:
        values = {
            "status": ticket.status,
            "department": ticket.department,
            "category": ticket.category,
            "priority": ticket.priority,
            "agent": ticket.agent,
        }
        for name, value in values.items():
            becomes(subject, name, value)
        subject.values["ticket.tags"] = frozenset(map(fold, ticket.tags))
        subject.values["ticket.assigned"] = frozenset({flag(ticket.agent is not None)})


def becomes(subject: Subject, name: str, value: str | None) -> None:
    """The ticket as the rules have it so far: later conditions read what earlier rules have set."""
    if name == "category":
        subject.values["ticket.category"] = frozenset(branches(value)) if value else _NONE
    else:
        subject.values[f"ticket.{name}"] = frozenset({fold(value)}) if value else _NONE


def branches(path: str) -> list[str]:
    """The node and everything above it, folded: what a condition over a category matches."""
    parts = [part.strip() for part in fold(path).split("/")]
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def text_of(message: InboundMessage) -> str:
    """What is read to tell the language: subject and text."""
    return f"{message.subject or ''}\n{message.text or ''}".strip()


def _one(value: str | None) -> frozenset[str]:
    return frozenset({fold(value)}) if value else _NONE


def _sender(asked: Asked) -> frozenset[str]:
    if asked.message is None:
        return _NONE
    values = [fold(handle.value.strip()) for handle in asked.message.sender.handles]
    return frozenset(values) | {f"@{v.rpartition('@')[2]}" for v in values if "@" in v}


def _locale(asked: Asked) -> frozenset[str]:
    locale = fold((asked.message.locale if asked.message else None) or "").replace("_", "-")
    return frozenset({locale, locale.partition("-")[0]})


def _country(asked: Asked) -> frozenset[str]:
    message = asked.message
    if message is None:
        return _NONE
    if named := message.fields.get("country", "").strip():
        return _one(named)
    for handle in message.sender.handles:
        if handle.kind == "phone" and (region := _region(handle.value)):
            return _one(region)
    return _one((message.locale or "").replace("_", "-").partition("-")[2])


def _region(number: str) -> str | None:
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None


def _category(asked: Asked) -> frozenset[str]:
    picked = asked.message.fields.get("category", "").strip() if asked.message else ""
    return frozenset(branches(picked)) if picked else _NONE


def _attachments(asked: Asked) -> frozenset[str]:
    files = asked.message.attachments if asked.message else ()
    return frozenset({flag(any(not file.inline for file in files))})


def _channel(asked: Asked) -> frozenset[str]:
    of = asked.message or asked.ticket
    return _one(of.channel if of else None)


def _account(asked: Asked) -> frozenset[str]:
    of = asked.message or asked.ticket
    return _one(of.account if of else None)


_VALUES: dict[str, Callable[[Asked], frozenset[str]]] = {
    "channel": _channel,
    "account": _account,
    "store": lambda asked: _one(asked.store),
    "sender": _sender,
    "trust": lambda asked: frozenset({asked.known.trust}),
    "customer_tags": lambda asked: frozenset(map(fold, asked.known.tags)),
    "order_status": lambda asked: frozenset(
        fold(state)
        for order in asked.known.orders
        for state in (order.status, order.payment, order.fulfilment)
        if state
    ),
    "has_order": lambda asked: frozenset({flag(bool(asked.known.orders))}),
    "language": lambda _: _NONE,
    "locale": _locale,
    "country": _country,
    "attachments": _attachments,
    "department": lambda _: _NONE,
    "category": _category,
}
"""Field of a condition -> its value. Language and picked department need the rule set's own look-ups."""
