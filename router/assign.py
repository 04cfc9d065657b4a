"""Who gets a new ticket: round robin, least open, or nobody (the department's queue), among the agents present."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from contracts.rules import Method

_NEVER = datetime.min.replace(tzinfo=UTC)
_SHOWN = 20


class Candidates(msgspec.Struct, frozen=True):
    """Members who may get it, in order, and why others may not."""

    present: tuple[str, ...]
    refused: dict[str, str]


class Turns(NamedTuple):
    """The order of a rotation, before somebody got a turn and after."""

    before: tuple[str, ...]
    after: tuple[str, ...]


class Choice(msgspec.Struct, frozen=True):
    """The agent, or None for the queue. `turns`: of the rotation, when it moved."""

    agent: str | None
    reason: str
    turns: Turns | None = None


def turns_of(members: Sequence[str], turns: Sequence[str]) -> tuple[str, ...]:
    """The rotation of these members: known ones in the order of their turns, new ones after them."""
    wanted = set(members)
    if len(turns) == len(members) and wanted.issuperset(turns):
        return tuple(turns)
    known = [agent for agent in turns if agent in wanted]
    new = wanted.difference(known)
    return (*known, *(agent for agent in members if agent in new))


def choose(
    method: Method,
    members: Sequence[str],
    candidates: Candidates,
    turns: Sequence[str] = (),
    open_counts: Mapping[str, int] | None = None,
    last_assigned: Mapping[str, datetime] | None = None,
) -> Choice:
    """Round robin: the first of the rotation who is present; absent agents keep their place, and get one turn when they
    are back. Least open: fewest unsolved tickets, then longest without one, then configured order."""
    if method == "queue":
        return Choice(None, "method:queue")
    if not candidates.present:
        return Choice(None, "no_present_agent")
    if method == "round_robin":
        order = turns_of(members, turns)
        at = next(at for at, member in enumerate(order) if member in candidates.present)
        after = order[:at] + order[at + 1 :] + (order[at],)
        return Choice(order[at], "method:round_robin", Turns(order, after))
    counts, last = open_counts or {}, last_assigned or {}
    agent = min(candidates.present, key=lambda a: (counts.get(a, 0), last.get(a, _NEVER), members.index(a)))
    return Choice(agent, "method:least_open")


def shown(candidates: Candidates) -> dict[str, Any]:
    """For the decision record: names up to twenty, beyond that counts by reason."""
    if len(candidates.refused) <= _SHOWN:
        return {"present": list(candidates.present), "refused": candidates.refused}
    reasons = sorted(set(candidates.refused.values()))
    counts = {why: sum(r == why for r in candidates.refused.values()) for why in reasons}
    return {"present": list(candidates.present), "refused_by_reason": counts}
