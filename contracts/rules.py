"""Rules as configuration: when they are asked, what must hold, what they do."""

from __future__ import annotations

import re
from typing import Annotated, Literal, NamedTuple, get_args

import msgspec

from contracts.base import Node
from contracts.ticket import Priority

Method = Literal["round_robin", "least_open", "queue"]
METHODS: tuple[str, ...] = get_args(Method)

NOBODY = "nobody"
"""What `assign` says for: leave it in the department's queue."""

Event = Literal["message received", "ticket created", "customer replied", "status changed", "transferred"]
"""Triggers that something happens. `message received` is asked for every message that belongs to a ticket, `ticket created`
for the one that opened it, `customer replied` for the customer's own later ones; the others after what people do."""

EVENTS: tuple[str, ...] = get_args(Event)

_TIMED = r"(before deadline by|unassigned for) ([1-9][0-9]{0,4}) (minute|hour)s?"

Trigger = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^(message received|ticket created|customer replied|status changed|transferred|breached|{_TIMED})$"
    ),
]
"""When a rule is asked: an `Event`, `breached`, `before deadline by 15 minutes`, `unassigned for 2 hours`. Minutes and hours
are working time of the ticket's department."""


class Timed(NamedTuple):
    """A trigger by time. `trigger` is the rule's own words, which rules are asked with; `seconds` of working time."""

    trigger: str
    kind: Literal["before deadline by", "unassigned for", "breached"]
    seconds: int


def timed(trigger: str) -> Timed | None:
    """The trigger taken apart; None for an `Event`."""
    if trigger == "breached":
        return Timed(trigger, "breached", 0)
    found = re.fullmatch(_TIMED, trigger)
    if found is None:
        return None
    kind: Literal["before deadline by", "unassigned for"] = (
        "before deadline by" if found[1] == "before deadline by" else "unassigned for"
    )
    return Timed(trigger, kind, int(found[2]) * (60 if found[3] == "minute" else 3600))


class TicketState(Node, frozen=True, kw_only=True):
    """The ticket as it stands, with what the rules before this one have set. Lists mean any of."""

    status: tuple[str, ...] = ()
    department: tuple[str, ...] = ()
    category: tuple[str, ...] = ()
    """Paths; a node stands for itself and everything below it."""
    priority: tuple[Priority, ...] = ()
    tags: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    assigned: bool | None = None


class Condition(Node, frozen=True, kw_only=True):
    """All given fields must hold (AND). Lists mean: any of."""

    channel: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    """Where it comes from, as people call it: `facebook` (Messenger and the wall), `twitter`, or the name of a channel."""
    account: tuple[str, ...] = ()
    store: tuple[str, ...] = ()
    sender: tuple[str, ...] = ()
    """Addresses, numbers or ids of the sender; `@shop.example` is every address of that domain."""
    trust: tuple[Literal["none", "claimed", "channel", "verified", "authoritative"], ...] = ()
    """How well it is proven who the sender is."""
    customer_tags: tuple[str, ...] = ()
    """Tags of the customer, where it is proven that the sender is that customer, or `trust` beside it says how well."""
    order_status: tuple[str, ...] = ()
    """Status, payment or fulfilment of any order of the customer, as the shop calls them."""
    has_order: bool | None = None
    keywords: tuple[str, ...] = ()
    """Words or phrases in subject or text. `drukark*` finds words that begin so, `*skriver` words that end so, `*skriver*`
    words that hold it. Case and diacritics are folded."""
    subject: tuple[str, ...] = ()
    """The same, in the subject alone."""
    text: tuple[str, ...] = ()
    """The same, in the text alone."""
    fuzzy: Annotated[int, msgspec.Meta(ge=60, le=100)] | None = None
    """Keywords may be misspelt: words count that are at least so alike, of 100. The record holds the score."""
    language: tuple[str, ...] = ()
    """The language of the text, as detected among the workspace's languages."""
    locale: tuple[str, ...] = ()
    """What the sender's program says: `pl-PL` is also `pl`."""
    country: tuple[str, ...] = ()
    """Two capital letters: of the form's field `country`, else of the telephone number, else of the locale."""
    attachments: bool | None = None
    attachment_types: tuple[str, ...] = ()
    """MIME types and names: `image/*`, `*.pdf`."""
    department: tuple[str, ...] = ()
    """The department picked on the form."""
    category: tuple[str, ...] = ()
    """The category picked on the form; a node stands for itself and everything below it."""
    fields: dict[str, tuple[str, ...]] = {}
    """Form fields by name; `*` is any value."""
    working_time: bool | None = None
    """Whether the message came within the hours of `calendar`; of a ticket without a message: whether it is open now."""
    calendar: str | None = None
    """Null: the calendar of the department that holds the account or the ticket."""
    ticket: TicketState | None = None
    negate: bool = False


class Actions(Node, frozen=True, kw_only=True):
    """What a rule does. Each target is set by the first rule, in written order, that sets it; what is sent adds up."""

    department: str | None = None
    """Transfers the ticket."""
    category: str | None = None
    """By path; brings its department."""
    priority: Priority | None = None
    assign: str | None = None
    """An agent id; `nobody`: leave it in the department's queue; or a method: `round_robin`, `least_open`, `queue`."""
    sla: str | None = None
    """An SLA policy in the place of the department's."""
    status: str | None = None
    tags: tuple[str, ...] = ()
    note: str | None = None
    """An internal note."""
    notify: tuple[str, ...] = ()
    """Departments and agents, besides the department that holds the ticket."""
    auto_reply: str | None = None
    """A template. At most one answer a sender in 24 hours; never to programs, lists and our own mails."""
    webhook: tuple[str, ...] = ()
    override_form: bool = False
    """May change the department that the customer picked on the form."""


class Rule(Node, frozen=True, kw_only=True):
    """Condition groups are joined by OR, conditions in a group by AND. No group: applies always."""

    id: str
    name: str
    active: bool = True
    notes: str = ""
    when: Trigger = "ticket created"
    groups: tuple[tuple[Condition, ...], ...] = ()
    actions: Actions = Actions()
    stop: bool = False
    """No rule after it is asked."""


class Template(Node, frozen=True, kw_only=True):
    """A text that is sent. `{number}`, `{name}`, `{subject}`, `{department}`, `{next_opening}` and `{workspace}` are filled
    in."""

    id: str
    text: str
    subject: str | None = None
    """Mail: null answers under the customer's own subject."""
    translations: dict[str, str] = {}
    """Language -> the text in it, for messages of that language."""


class Webhook(Node, frozen=True, kw_only=True):
    """An address of another system that rules call. Its secret is a setting of the process (FRONTDESK_WEBHOOKS)."""

    id: str
    url: str
