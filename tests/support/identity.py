"""Who is who, in memory: facts that advance with each message, as the identity stage's store would have them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contracts.inbound import Handle, InboundMessage
from identity.decide import ClaimPolicy, Facts, Plan, resolve
from identity.evidence import observations
from identity.shared import Shown
from tests.support.routing import message


class Registry:
    """`own`: the workspace's own handles."""

    def __init__(self, region: str | None = "PL", own: frozenset[Shown] = frozenset()) -> None:
        self.facts = Facts()
        self._region = region
        self._own = own

    def take(self, inbound: InboundMessage, policy: ClaimPolicy = "attach") -> Plan:
        plan = resolve(inbound, observations(inbound, self._region, self._own), self.facts, policy)
        self.facts.after(plan)
        return plan

    def take_all(self, messages: Iterable[InboundMessage]) -> list[Plan]:
        return [self.take(one) for one in messages]


def shown(name: str, *handles: tuple[Any, str, Any], **given: Any) -> InboundMessage:
    """A message whose sender shows these handles: kind, value, proof."""
    sender = tuple(Handle(kind=kind, value=value, proof=proof) for kind, value, proof in handles)
    return message(name, handles=sender, **given)
