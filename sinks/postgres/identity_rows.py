"""Rows of the identity graph, as stores take and give them: plain values, for pure code too."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

HandleKey = tuple[UUID, str, str]
"""Workspace, kind, canonical value."""


class CustomerRow(NamedTuple):
    workspace: UUID
    customer: UUID
    kind: str
    value: str
    proven: bool
    name: str | None
    created: datetime
    generation: int = 0


class EventRow(NamedTuple):
    """One entry of the history. What each action means for the state: `identity/graph.py`."""

    workspace: UUID
    event: UUID
    action: str
    customer: UUID
    kind: str | None
    value: str | None
    proof: str | None
    at: datetime
    message: UUID | None = None
    """The message that caused it; None: a person did, or something was withdrawn."""
    other: UUID | None = None
    source: str | None = None
    evidence: str | None = None
    actor: str | None = None
    reason: str | None = None

    @property
    def link(self) -> tuple[UUID, str | None, str | None, UUID]:
        """The row of `handles` that it is about."""
        return self.workspace, self.kind, self.value, self.customer

    @property
    def proven_by(self) -> str | None:
        """What proves it: the evidence that the door names, else the account that it came through."""
        return self.evidence or self.source


class HolderRow(NamedTuple):
    """A customer who claims, holds or contests a handle. `customer`: the root, after merges; `own`: whose link it is."""

    key: HandleKey
    state: str
    since: datetime
    customer: UUID
    evidence: UUID
    own: UUID
    seen: datetime
    cause: UUID | None
    proven_by: str | None = None


class LinkState(NamedTuple):
    """A link as the history leaves it: everything that its row of `handles` holds. `proven_by`: what proved it last."""

    state: str
    proof: str
    since: datetime
    evidence: UUID
    seen: datetime
    cause: UUID | None = None
    proven_by: str | None = None


class MergeRow(NamedTuple):
    """A merge of two roots: `event.customer` into `event.other`. `automatic`: by what both have verified."""

    event: EventRow
    automatic: bool = False
