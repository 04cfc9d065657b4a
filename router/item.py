"""One delivery on its way through a batch."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.inbound import InboundMessage
from contracts.resolved import ResolvedMessage
from router.facts import Placement, Plan
from router.ruleset import RuleSet
from runtime.stage import Outcome
from sinks.postgres.ticket_store import Key


@dataclass(slots=True)
class Item:
    """`outcome` is set as soon as it is known."""

    resolved: ResolvedMessage
    message: InboundMessage
    rules: RuleSet
    outcome: Outcome | None = None
    placement: Placement | None = None
    plan: Plan | None = None

    @property
    def key(self) -> Key:
        return (self.message.workspace, self.message.message_id)

    @property
    def customer(self) -> Key | None:
        """Null: an event of nobody who is known."""
        customer = self.resolved.customer
        return (self.message.workspace, customer.id) if customer else None
