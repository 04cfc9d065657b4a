"""From what a channel transcribed to what it proves about the person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from contracts.inbound import FROM_A_LIST, InboundMessage, Proof
from identity.canonical import canonical, phone_of_network
from identity.shared import Shown, identifies, is_shared

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
    evidence: str | None = None
    """What proves it, where the channel says so (`Handle.evidence`)."""

    @property
    def proven(self) -> bool:
        return self.proof in _PROVEN


def proven_by(message: InboundMessage, shown: Observation) -> str:
    """What proves it, as the history has it: the evidence that the door names, else the account that it came through."""
    return shown.evidence or source(message)


def source(message: InboundMessage) -> str:
    """The account that it came through, as the history has it."""
    return f"{message.channel}/{message.account}"


def observations(
    message: InboundMessage, region: str | None = None, shared: frozenset[Shown] = frozenset()
) -> list[Observation]:
    """The counterpart's handles that may identify, best first: without mentions, shared ones and junk. `region`: the
    account's country; `shared`: what identifies nobody in the workspace (`shared.shared_handles`)."""
    found: dict[HandleKey, Observation] = {}
    moved = moved_to(message) is not None
    for kind, given, proof, evidence in _counterpart(message):
        if proof == "mentioned":
            continue
        proven = proof in _PROVEN
        spelled = phone_of_network if kind == "phone" and (proven or moved) else None
        value = spelled(given, region) if spelled else canonical(kind, given, region)
        if value is None or not identifies(kind, value, proven) or is_shared((kind, value), shared):
            continue
        key = (message.workspace, kind, value)
        found.setdefault(key, Observation(key, proof, evidence))
    return sorted(found.values(), key=lambda o: (_PRIORITY.get(o.key[1], _CHANNEL_ID), o.key[1], o.key[2]))


def moved_to(message: InboundMessage) -> tuple[str, str] | None:
    """The number or user id (kind, value) that the person has from now on, as their network says; None for all other events."""
    if message.kind != "system":
        return None
    if number := message.fields.get("new_number"):
        return "phone", f"+{number.removeprefix('+')}"
    user = message.fields.get("new_user_id")
    return ("whatsapp_user", user) if user else None


def _counterpart(message: InboundMessage) -> Iterator[tuple[str, str, Proof, str | None]]:
    """Whom the event is about. An echo was sent by us: the network's id of its recipient says whose conversation it is. A
    bounce was sent by a server: it is about whom our mail did not reach."""
    for handle in message.sender.handles:
        if handle.kind == "email" and FROM_A_LIST in message.marks:
            continue
        yield handle.kind, handle.value, handle.proof, handle.evidence
    if message.kind == "echo":
        for recipient in message.recipients:
            if recipient.kind is not None:
                yield recipient.kind, recipient.value, "channel", None
    if moved := moved_to(message):
        yield *moved, "verified", None
    if message.kind == "bounce" and (unreached := message.fields.get("failed_recipient")):
        yield "email", unreached, "claimed", None
