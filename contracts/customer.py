"""CustomerEvent: what happened to a customer record. Payload of `frontdesk.customer.v1`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from contracts.base import Payload


class CustomerEvent(Payload, frozen=True, kw_only=True):
    """`merged`: follow `into` from now on. `unmerged` takes that back. `split`: a handle of this customer is the customer
    `into`'s from now on. `erased`: forget the id."""

    event_id: UUID
    workspace: UUID
    customer: UUID
    version: int
    change: Literal["merged", "unmerged", "split", "erased"]
    occurred_at: datetime
    into: UUID | None = None
    actor: str = "identity"
    reason: str = ""
