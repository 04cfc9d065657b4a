"""People, what they send, and whose each handle is: the ground truth of a made-up population."""

from __future__ import annotations

from dataclasses import dataclass, field

from contracts.inbound import InboundMessage
from identity.canonical import canonical
from identity.decide import ClaimPolicy

Shown = tuple[str, str]
"""Kind and canonical value."""


@dataclass(slots=True)
class Individual:
    """One human being with everything that is theirs."""

    number: int
    name: str
    emails: list[str] = field(default_factory=list)
    phone: str | None = None
    accounts: list[Shown] = field(default_factory=list)
    login: str | None = None
    device: str | None = None
    order: str = ""


@dataclass(frozen=True, slots=True)
class Sent:
    """A message, how claims of its account are taken, who wrote it, and whether honestly."""

    message: InboundMessage
    policy: ClaimPolicy
    author: int
    honest: bool = True


@dataclass(slots=True)
class Population:
    people: list[Individual]
    sent: list[Sent]
    owners: dict[Shown, set[int]]
    """Who ever had each handle."""

    def provable(self) -> dict[int, list[tuple[Shown, Shown]]]:
        """By person: pairs of handles that one honest message proved together and that are nobody else's."""
        found: dict[int, set[tuple[Shown, Shown]]] = {}
        for sent in self.sent:
            shown = sorted(
                key
                for handle in sent.message.sender.handles
                if sent.honest and handle.proof in ("channel", "verified", "authoritative")
                for key in [(handle.kind, canonical(handle.kind, handle.value, "BG") or "")]
                if self.owners.get(key) == {sent.author}
            )
            pairs = {(one, other) for place, one in enumerate(shown) for other in shown[place + 1 :]}
            found.setdefault(sent.author, set()).update(pairs)
        return {author: sorted(pairs) for author, pairs in found.items()}
