"""A small workspace and messages for tests of decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

import msgspec

from contracts.base import encode
from contracts.ids import workspace_id
from contracts.inbound import Handle, InboundMessage, Sender
from contracts.resolved import CustomerLink, Position, ResolvedMessage
from contracts.workspace import (
    Account,
    Agent,
    Calendar,
    Category,
    Department,
    Rule,
    SlaPolicy,
    Store,
    Workspace,
)
from router.decide import place, settle
from router.facts import Facts, Plan, Staff
from router.ruleset import RuleSet

WORKSPACE = workspace_id("test")
NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
"""Friday 15:00 in Warsaw."""
DAY = timedelta(days=1)

_WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), (("08:00", "17:00"),))


def workspace(*rules: Rule, **changes: Any) -> Workspace:
    """Support (round robin: ann, cem), Returns (round robin: ann, ben), Sales (least open: dee, absent), Marketing."""
    base = Workspace(
        slug="test",
        name="Test",
        zone="Europe/Warsaw",
        stores=(Store(id="a", name="A"),),
        calendars=(Calendar(id="std", zone="Europe/Warsaw", hours=_WEEK),),
        sla_policies=(
            SlaPolicy(id="std", first_response={"urgent": 30, "high": 60, "medium": 180, "low": 480}),
        ),
        departments=(
            Department(id="support", name="Support", calendar="std", sla="std", members=("ann", "cem")),
            Department(id="returns", name="Returns", calendar="std", sla="std", members=("ann", "ben")),
            Department(
                id="sales", name="Sales", calendar="std", sla="std", method="least_open", members=("dee",)
            ),
            Department(
                id="marketing", name="Marketing", calendar="std", sla="std", method="queue", public=False
            ),
        ),
        categories=(
            Category(path="Hardware/Printers", department="support", priority="high"),
            Category(path="Hardware/Phones", department="support", members=("cem",), method="least_open"),
            Category(path="Exchange", department="returns"),
        ),
        agents=(
            Agent(id="ann", name="Ann"),
            Agent(id="ben", name="Ben"),
            Agent(id="cem", name="Cem"),
            Agent(id="dee", name="Dee", present=False),
        ),
        rules=rules,
        accounts=(
            Account(channel="webform", id="contact", store="a"),
            Account(channel="email", id="support", department="support"),
        ),
    )
    return msgspec.structs.replace(base, **changes)


def rule_set(*rules: Rule, **changes: Any) -> RuleSet:
    return RuleSet(workspace(*rules, **changes), "0123456789abcdef")


def message(name: str = "one", **given: Any) -> InboundMessage:
    """A form unless `channel` says otherwise. `email` is the sender's address, `proof` how well it is proven."""
    handles = given.pop("handles", None)
    email, proof = given.pop("email", None), given.pop("proof", "claimed")
    authentication = given.pop("authentication", None)
    if handles is None:
        handles = (Handle(kind="email", value=email, proof=proof),) if email else ()
    values = {
        "message_id": uuid5(NAMESPACE_OID, name),
        "workspace": WORKSPACE,
        "channel": "webform",
        "account": "contact",
        "provider_id": name,
        "received_at": NOW,
        "text": "hello",
        "sender": Sender(handles=handles, authentication=authentication),
    }
    return InboundMessage(**(values | given))


def mail(name: str, email: str, *reply_to: str, **given: Any) -> InboundMessage:
    """A mail whose Message-ID is its name."""
    values = {"channel": "email", "account": "support", "fields": {"message_id": name}} | given
    return message(name, email=email, reply_to=reply_to, **values)


def chat(name: str, conversation: str = "555", **given: Any) -> InboundMessage:
    """A Telegram message, unless `channel` says otherwise."""
    handle = Handle(kind="telegram_user", value=conversation, proof="channel")
    values = {"channel": "telegram", "account": "bot", "handles": (handle,)} | given
    return message(name, conversation_key=conversation, **values)


def resolved(
    inbound: InboundMessage, customer: UUID | None = None, trust: Any = "claimed", **known: Any
) -> ResolvedMessage:
    return ResolvedMessage(
        workspace=inbound.workspace,
        message_id=inbound.message_id,
        position=Position(topic="frontdesk.inbound.v1", partition=0, offset=0),
        inbound=msgspec.Raw(encode(inbound)),
        customer=CustomerLink(id=customer or uuid5(NAMESPACE_OID, "customer"), trust=trust),
        **known,
    )


class Desk:
    """Facts and staff that advance with each message, as the router's store would."""

    def __init__(self, rules: RuleSet, facts: Facts | None = None, staff: Staff | None = None) -> None:
        self.rules = rules
        self.facts = facts or Facts()
        self.staff = staff or Staff()

    def take(self, inbound: InboundMessage, now: datetime = NOW, **known: Any) -> Plan:
        """`known`: what identity adds to the message (`customer`, `trust`, `order_numbers`)."""
        placement = place(resolved(inbound, **known), inbound, self.facts, self.rules, now)
        return settle(placement, self.facts, self.staff, self.rules, now)

    def set(self, plan: Plan, **changes: Any) -> None:
        """What people did to the plan's ticket meanwhile."""
        held = self.facts.tickets[plan.ticket.id]
        ticket = msgspec.structs.replace(held.ticket, **changes)
        self.facts.tickets[ticket.id] = msgspec.structs.replace(held, ticket=ticket, version=held.version + 1)
