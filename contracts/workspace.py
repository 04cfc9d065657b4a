"""A workspace as configuration: the typed form of the YAML folder, and of every applied version.

Ids of agents, stores and calendars are slugs chosen by the people who write the files. A department may be named by
slug or by name wherever a message names one. The published JSON Schema is generated from these structs.
"""

from __future__ import annotations

from typing import Literal

from contracts.base import Node
from contracts.rules import Method, Rule, Template, Webhook
from contracts.ticket import Priority, Status

DomainTrust = Literal["address", "domain", "none"]
"""What an aligned DMARC pass (RFC 7489) of a domain proves. `address`: who the sender is; `domain`: only that the mail is the
domain's, for its users may write any name before the @; `none`: nothing."""


class Store(Node, frozen=True, kw_only=True):
    """A shop. Accounts (mailboxes, forms, bots) name the store they belong to."""

    id: str
    name: str
    orders: Literal["shopify", "pushed"] | None = None
    """Where its orders are known: at Shopify, or here, since the shop pushes or imports them. Null: nowhere."""
    order_number: str | None = None
    """How its order numbers look in a text, as a pattern of RE2, with at most one group that holds the number alone:
    `#?(10\\d{2,6})`. Null: texts are not searched."""


class Calendar(Node, frozen=True, kw_only=True):
    """Working hours in local wall-clock time. `hours`: mon … sun -> intervals `["08:00", "17:00"]`; an interval is
    closed at its start and open at its end, `24:00` is the end of the day. An end that is not after its start is on the
    next day. A day's own hours under `overrides` come before its being a holiday."""

    id: str
    zone: str
    hours: dict[str, tuple[tuple[str, str], ...]]
    holidays: tuple[str, ...] = ()
    """Local dates, YYYY-MM-DD: closed."""
    country: str | None = None
    """ISO 3166 code of the country whose public holidays are closed too."""
    region: str | None = None
    """ISO 3166-2 code of a part of that country, without the country: `BY` of Germany."""
    overrides: dict[str, tuple[tuple[str, str], ...]] = {}
    """Local date -> that day's own hours."""
    breaks: dict[str, tuple[tuple[str, str], ...]] = {}
    """Local date -> intervals that are taken out of its hours."""


class SlaPolicy(Node, frozen=True, kw_only=True):
    """Targets in minutes of working time, per priority."""

    id: str
    first_response: dict[Priority, int]
    next_response: dict[Priority, int] | None = None
    """To the answer of whatever the customer writes later. Not given: as for the first answer."""
    resolution: dict[Priority, int] | None = None
    """To the solution. Not given: no such deadline."""
    pauses: tuple[Status, ...] = ("waiting",)
    """Statuses in which the resolution's clock stands still: `waiting` or none. The clocks of answers always run."""
    warn_minutes: int = 15
    """How long before a deadline a ticket is at risk."""
    follow_up_minutes: int = 1440
    """When an unsolved ticket on which no clock runs is looked at again."""


class Category(Node, frozen=True, kw_only=True):
    """A node of the category tree, by path (`Technical support/Hardware/Printers`). Belongs to one department."""

    path: str
    department: str
    id: str | None = None
    """Names the node for ever. A node that keeps its id may move or be renamed: its tickets, reports and turns stay with it.
    Null: the path is its name."""
    method: Method | None = None
    priority: Priority | None = None
    members: tuple[str, ...] | None = None
    """Agent ids; null: every member of the department who has not chosen other categories."""
    skills: tuple[str, ...] = ()
    """Who gets its tickets has all of these."""
    relax_minutes: int | None = None
    """Null: the department's."""


class DepartmentStatus(Node, frozen=True, kw_only=True):
    """One status of a department's own process, such as `awaiting parcel`."""

    name: str
    means: Status
    """What it is to everybody else: counts, deadlines, limits and continuity go by this."""
    next: tuple[str, ...] = ()
    """Names of the statuses that people may move to from here."""


class Overflow(Node, frozen=True, kw_only=True):
    """Whose agents help out. The ticket stays where it is: only who may take it is widened."""

    to: str
    """A department: those of its members who have the skills that the ticket needs."""
    above: int
    """Helps while more than so many tickets wait in this department's queue,"""
    below: int | None = None
    """and fewer than so many in the helping one's; null: however many."""


class MailSender(Node, frozen=True, kw_only=True):
    """Whom customers see in mails: `From: "name" <address>`, and the lines below the text. Answers to these mails must
    reach an account of channel `email`."""

    name: str
    address: str
    signature: str = ""


class Department(Node, frozen=True, kw_only=True):
    """Exactly one department owns a ticket. `method` is the default of its categories."""

    id: str
    name: str
    calendar: str
    sla: str
    method: Method = "round_robin"
    priority: Priority = "medium"
    members: tuple[str, ...] | Literal["all"] = ()
    """Agent ids in the order of their turns; `all`: every active agent. Agents may also name it themselves."""
    public: bool = True
    """May be picked on a contact form."""
    sender: MailSender | None = None
    """Null: the workspace's."""
    notify: bool = True
    """Its members are told of new tickets and of customers' replies (`frontdesk.notification.v1`)."""
    to_solve: bool = True
    """Its tickets are handed out: in turn, or by pull-next. Otherwise they wait until somebody is named for them."""
    relax_minutes: int | None = None
    """After so much working time in the queue any member may have a ticket, without its skills and language; null: never."""
    pull_limit: int | None = None
    """How many of its pulled tickets an agent may work on at once; null: only the agent's own limit holds."""
    statuses: tuple[DepartmentStatus, ...] = ()
    """Its own process; none: new, open, waiting, solved, with every move but back to new."""
    overflow: tuple[Overflow, ...] = ()
    """Departments that help out, in order of preference."""
    availability: dict[str, str] = {}
    """Channel -> calendar in which somebody is there for it. Channels that are not listed: the department's calendar."""
    shift_end: Literal["keep", "return_to_queue"] = "keep"
    """What happens to unsolved tickets of an agent who goes off."""
    lease_minutes: int | None = None
    """A ticket whose agent does nothing about it for so much working time goes back to the queue; null: never. Waiting for
    the customer does not count."""
    affinity_days: int = 0
    """A customer's new ticket goes to the agent who had their last one here, if that is not older; 0: by method alone."""


class Absence(Node, frozen=True, kw_only=True, rename={"first": "from", "last": "to"}):
    """Sick leave, a holiday. Local dates (YYYY-MM-DD), both included, or local times (YYYY-MM-DDTHH:MM), the end excluded; in
    the zone of the agent's calendar, else of the workspace."""

    first: str
    last: str
    deputy: str | None = None
    """The agent who gets what was meant for them, if they are there."""


class Agent(Node, frozen=True, kw_only=True):
    """A person who works on tickets."""

    id: str
    name: str
    email: str | None = None
    present: bool = True
    """Whether they count as present until they say so themselves at the desk."""
    role: Literal["agent", "lead", "admin"] = "agent"
    active: bool = True
    """Otherwise they are a member of nothing."""
    departments: tuple[str, ...] = ()
    """Besides those that list them as a member."""
    categories: tuple[str, ...] | None = None
    """Paths: the only categories, with all below them, whose tickets they get; null: all of their departments."""
    skills: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes; none: any language."""
    capacity: int | None = None
    """How much they may hold before no more is given to them; null: no limit. Pull-next has a limit of its own."""
    weights: dict[str, int] = {}
    """Channel -> what one of its tickets takes of the capacity, and counts as load; 1 where nothing is said."""
    calendar: str | None = None
    """Their working hours: outside of them they are not there. Null: they are there when they say so."""
    absences: tuple[Absence, ...] = ()
    pull_limit: int | None = None
    """How many pulled tickets they may work on at once; null: the workspace's limit."""


class Account(Node, frozen=True, kw_only=True):
    """One door of a channel: a form, a mailbox, a bot. Secrets are process settings, never here."""

    channel: str
    id: str
    store: str | None = None
    department: str | None = None
    """Where its messages go when nothing else decides."""
    priority: Priority | None = None
    """How urgent they are when neither a rule, the customer nor the category says so."""
    address: str | None = None
    """Mail: the address that customers write to."""
    authserv: tuple[str, ...] = ()
    """Mail: names of the servers whose `Authentication-Results` we believe (RFC 8601). None: no sender is proven."""
    arc_sealers: tuple[str, ...] = ()
    """Mail: domains that forward or spread mail to us, and whose seals (RFC 8617) we believe about what the mail was when it came
    to them, if a server of `authserv` reports `arc=pass`. None: seals say nothing."""
    reply_to: bool = False
    """Mail: Reply-To names the customer, as programs that send a form's content by mail have it."""
    forwards: bool = True
    """Mail: the customer is who wrote the forwarded mail, not the colleague who forwarded it."""
    number: str | None = None
    """Networks: what the provider calls this account in its calls: phone number id, page, user, telephone number. With it,
    calls that hold events of several accounts are told apart; without, the account takes every event."""
    groups: bool = False
    """Telegram, WhatsApp: messages in groups open tickets too."""
    sender_verified: bool = False
    """SMS: the carriers vouch for the sender's number. Off: anybody may have forged it."""
    origins: tuple[str, ...] = ()
    """Form and chat: web origins of the pages that may hold it. Empty: same origin only."""
    direct_per_minute: int = 60
    """Form: how many submissions a minute may come to it without our page or script, from programs and from bots. What is
    over it is held for a person to look at."""
    signatures: Literal["off", "report", "enforce"] = "enforce"
    """Chat: what a wrong signature of a signed-in visitor means. `enforce`: refused; `report`: counted, and the visitor is
    anonymous; `off`: nobody is signed in. An unsigned name or id is never believed."""
    region: str | None = None
    """ISO 3166 country for telephone numbers without a country code."""
    claimed: Literal["attach", "separate"] = "attach"


class Workspace(Node, frozen=True, kw_only=True):
    """Everything. `default_department` takes what no rule places; it need not be listed anywhere else."""

    slug: str
    name: str
    zone: str = "UTC"
    default_department: str = "general"
    stores: tuple[Store, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    sla_policies: tuple[SlaPolicy, ...] = ()
    departments: tuple[Department, ...] = ()
    categories: tuple[Category, ...] = ()
    agents: tuple[Agent, ...] = ()
    rules: tuple[Rule, ...] = ()
    accounts: tuple[Account, ...] = ()
    templates: tuple[Template, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    customer_priorities: dict[str, Priority] = {}
    """Tag of a customer -> the priority of their tickets, unless a rule says otherwise; the first tag that they have counts."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes of the languages that customers write in. Texts are told apart among these only; with none, or one,
    nothing is detected."""
    reopen_days: int = 7
    continuity_days: int = 30
    """How long an open ticket may be silent, and still get what its customer writes about the same conversation, thread or
    order. After that a new ticket opens that refers to it."""
    continuity: Literal["append", "link"] = "append"
    """What becomes of a message about an order that an open ticket of its customer is about, when nothing but the order
    joins them. `append`: it goes on that ticket, if both sides are proven; `link`: a new ticket refers to it."""
    pull_limit: int = 1
    """How many pulled tickets an agent may work on at once; solved and waiting ones do not count."""
    recent_tickets: int = 5
    """How many of the customer's earlier tickets are told with each message."""
    sender: MailSender | None = None
    """Whom mails of departments without a sender of their own are from. Null, and none there: no mail leaves."""
    shared_handles: tuple[str, ...] = ()
    """Addresses and numbers that several people use, as KIND:VALUE (`email:office@example.org`, `phone:+48221234567`): who shows
    one is not thereby known. Those of roles, such as info@, need not be listed."""
    own_domains: tuple[str, ...] | None = None
    """Mail domains whose people are ours and no customers, with all below them. Null: where an account or a sender has a mailbox
    of a role, such as support@; `[]`: none, for a desk whose customers are colleagues."""
    domain_trust: dict[str, DomainTrust] = {}
    """Mail domain, in small letters and as in DNS (`xn--…`), with all below it -> what its DMARC pass proves. A domain that is not
    listed: `address`, or `domain` where it is known that its users may write any name before the @."""
