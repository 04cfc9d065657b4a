"""From what a channel transcribed to what it proves about the sender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from contracts.inbound import InboundMessage, Proof
from identity.canonical import canonical

HandleKey = tuple[UUID, str, str]
"""Workspace, kind, canonical value: what is unique where it is verified."""

# Founding and attaching go by this order: a site's own id, then the channel's, then e-mail, then telephone.
_PRIORITY = {"external_id": 0, "email": 2, "phone": 3, "visitor": 4}
_CHANNEL_ID = 1

_PROVEN: frozenset[Proof] = frozenset({"channel", "verified", "authoritative"})


@dataclass(frozen=True, slots=True)
class Observation:
    """One canonical handle, seen in one message, with its proof."""

    key: HandleKey
    proof: Literal["claimed", "channel", "verified", "authoritative"]

    @property
    def proven(self) -> bool:
        return self.proof in _PROVEN


def observations(message: InboundMessage, region: str | None = None) -> list[Observation]:
    """The sender's handles that may identify, best first. Mentions and junk are left out."""
    found: dict[HandleKey, Observation] = {}
    for handle in message.sender.handles:
        if handle.proof == "mentioned":
            continue
        value = canonical(handle.kind, handle.value, region)
        if value is None:
            continue
        key = (message.workspace, handle.kind, value)
        found.setdefault(key, Observation(key, handle.proof))
    return sorted(found.values(), key=lambda o: (_PRIORITY.get(o.key[1], _CHANNEL_ID), o.key[1], o.key[2]))
