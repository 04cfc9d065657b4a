"""What another rule set would have decided. Each past decision is made again from its own record, so that nothing but the
rules differs: the same message, facts, presence and moment."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

TARGETS = ("ticket", "department", "category", "priority", "deadline", "agent", "tags", "auto_reply")
"""What is compared. `ticket`: whether the message opens one."""

_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """A decision that would be another one: target -> before and after."""

    number: int
    message: str
    changed: dict[str, tuple[Any, Any]]
    rules: tuple[str, ...]
    """Those that would match."""


@dataclass(slots=True)
class Report:
    """All of them. Breaches are missed first answers among the decisions that opened a ticket."""

    decisions: int = 0
    changed: int = 0
    by_target: Counter[str] = field(default_factory=Counter)
    moves: Counter[str] = field(default_factory=Counter)
    """`support -> returns` -> how many tickets."""
    breaches_before: int = 0
    breaches_after: int = 0
    examples: list[Difference] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Of the decisions that would change: 0 to 1."""
        return self.changed / self.decisions if self.decisions else 0.0

    def add(
        self,
        number: int,
        message: str,
        before: dict[str, Any],
        after: dict[str, Any],
        answered: datetime | None,
        now: datetime,
    ) -> None:
        """One decision: the record as it is and as it would be. `answered`: when the ticket had its first answer."""
        self.decisions += 1
        was, would = outcome(before), outcome(after)
        self.breaches_before += _missed(was["deadline"], answered, now)
        self.breaches_after += _missed(would["deadline"], answered, now)
        changed = {t: (was[t], would[t]) for t in TARGETS if was[t] != would[t]}
        if not changed:
            return
        self.changed += 1
        self.by_target.update(list(changed))
        if "department" in changed:
            self.moves[" -> ".join(str(value) for value in changed["department"])] += 1
        if len(self.examples) < _EXAMPLES:
            rules = tuple(match["rule"] for match in after["rules"])
            self.examples.append(Difference(number, message, changed, rules))

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "decisions": self.decisions,
            "changed": self.changed,
            "share": round(self.share, 4),
            "by_target": dict(self.by_target),
            "moves": dict(self.moves),
            "breaches": {
                "before": self.breaches_before,
                "after": self.breaches_after,
                "delta": self.breaches_after - self.breaches_before,
            },
            "examples": self.examples,
        }


def outcome(record: dict[str, Any]) -> dict[str, Any]:
    """What a record says was decided, by target. Of a message that joined a ticket: what rules set of it."""
    joined = "department" not in record
    wanted: dict[str, Any] = {}
    for match in record["rules"]:
        wanted |= match.get("set", {})
    values = {target: wanted.get(target) for target in TARGETS}
    values["tags"] = sorted(record.get("tags", ()))
    values["ticket"] = record["continuity"].get("ticket")
    values["auto_reply"] = record.get("auto_reply", {}).get("sent_to")
    values["agent"] = wanted.get("assign") if joined else record["assignment"]["agent"]
    if not joined:
        values |= {target: record[target]["value"] for target in ("department", "category", "priority")}
        deadline = record["deadline"]
        values["deadline"] = deadline["due_at"] if deadline else None
    return values


def _missed(due: str | None, answered: datetime | None, now: datetime) -> bool:
    return due is not None and (answered or now) > datetime.fromisoformat(due)
