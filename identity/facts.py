"""What is known about the handles of a batch and about the people who hold them; it advances with each plan.

What a message has linked or disputed itself is no fact for it. So it is decided the same way when it is read again, and
what a crash kept from being produced is produced then.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from contracts.inbound import PROOFS, InboundMessage
from identity.evidence import HandleKey, Observation, proven_by

if TYPE_CHECKING:
    from identity.decide import Link, Plan

STALE_AFTER = {"phone": timedelta(days=180), "email": timedelta(days=540)}
"""How long a handle of the kind proves anything without being proven again: numbers and mailboxes change hands (I16)."""

SEEN_AGAIN = timedelta(days=1)

SHARED_ABOVE = 5
"""A handle that more people than this have proven is nobody's (I5)."""

MAX_HANDLES, MAX_OF_A_KIND = 20, 5
MAX_MERGES, MERGE_WINDOW = 3, timedelta(hours=24)
"""Beyond these nothing is added to a person, nor merged with it, but by people (I6)."""

SURE = frozenset(PROOFS[PROOFS.index("verified") :])
"""Proofs of a person, and not of an account alone."""


class Holder(NamedTuple):
    """Who claims or holds a handle: since when, for which root customer, by which message; whose link it is, and when it
    was last proven."""

    since: datetime
    customer: UUID
    evidence: UUID
    own: UUID
    seen: datetime
    cause: UUID | None = None
    """The message that brought the link into dispute."""
    proven_by: str | None = None
    """What proved it last."""

    def is_news(self, shown: Observation, message: InboundMessage) -> bool:
        """Whether this proof of what is proven is worth an entry: by something else than the last one, for one of the two may be
        withdrawn; and once in `SEEN_AGAIN`, where silence means something. What proved a link from before that was kept is not
        known: it is no news by itself, or the first message of everybody would be."""
        if self.proven_by not in (None, proven_by(message, shown)):
            return True
        return shown.proof != "channel" and message.received_at - self.seen >= SEEN_AGAIN

    def is_stale(self, kind: str, at: datetime) -> bool:
        """Whether it has been silent for too long at that time."""
        limit = STALE_AFTER.get(kind)
        return limit is not None and at - self.seen > limit


@dataclass(slots=True)
class Person:
    """A root customer with all that are merged into it: what they have proven, and when they were merged by us."""

    proven: dict[HandleKey, str] = field(default_factory=dict)
    """Handles and proofs."""
    merged_at: list[datetime] = field(default_factory=list)
    members: set[UUID] = field(default_factory=set)

    @property
    def logins(self) -> set[HandleKey]:
        return {key for key in self.proven if key[1] == "external_id"}

    def is_bare(self, accounts: Collection[HandleKey]) -> bool:
        """Whether nothing speaks for this person but these accounts, and ids that only a channel vouches for."""
        return all(key in accounts or proof not in SURE for key, proof in self.proven.items())

    def has_room(self, keys: Collection[HandleKey]) -> bool:
        """Whether the person may have these handles too."""
        wanted = self.proven.keys() | set(keys)
        kinds = [kind for _, kind, _ in wanted]
        return len(wanted) <= MAX_HANDLES and all(kinds.count(kind) <= MAX_OF_A_KIND for kind in set(kinds))

    def may_merge(self, at: datetime) -> bool:
        """Whether few enough merges by us happened lately."""
        return sum(abs(at - merged) < MERGE_WINDOW for merged in self.merged_at) < MAX_MERGES


@dataclass(slots=True)
class Facts:
    """Who holds the handles of a batch, and, for messages that prove several, what else those people have proven."""

    verified: dict[HandleKey, Holder] = field(default_factory=dict)
    claimed: dict[HandleKey, Holder] = field(default_factory=dict)
    """Of several claimants the earliest."""
    disputed: dict[HandleKey, dict[UUID, Holder]] = field(default_factory=dict)
    """Everybody else who proved it, by the customer whose link it is."""
    generations: dict[HandleKey, int] = field(default_factory=dict)
    """How many customers lost the handle: the next one that it founds is another."""
    erased: dict[HandleKey, int] = field(default_factory=dict)
    """By how much the next customer's generation is raised, claimed or proven, since customers with the handle were erased."""
    people: dict[UUID, Person] = field(default_factory=dict)
    """By root. Those that are not here have proven nothing else that matters."""
    separations: set[frozenset[UUID]] = field(default_factory=set)
    roots: dict[UUID, UUID] = field(default_factory=dict)
    """Of the customers that proofs are about: what each is merged into, or itself."""

    def holder(self, key: HandleKey, message: UUID) -> Holder | None:
        """Who holds it: alone, or with others who were found to be the same person."""
        if (held := self.verified.get(key)) is not None:
            return None if held.evidence == message else held
        proven = list(self._proven(key, message))
        for one in proven:
            if one.cause == message:
                return one._replace(cause=None)
        return min(proven) if len({one.customer for one in proven}) == 1 else None

    def proven_by(self, key: HandleKey, message: UUID) -> list[Holder]:
        """Every link of those who have proven it, the earliest first."""
        return sorted(self._proven(key, message))

    def is_contested(self, key: HandleKey, message: UUID) -> bool:
        """Whether several people have proven it, and it is not decided whose it is."""
        return self.holder(key, message) is None and any(self._proven(key, message))

    def is_shared(self, key: HandleKey, message: UUID) -> bool:
        """Whether so many people have proven it that it says nothing."""
        return len({one.customer for one in self._proven(key, message)}) > SHARED_ABOVE

    def claimant(self, key: HandleKey, message: UUID) -> Holder | None:
        """The earliest who claims it; who proved it, but not alone, comes before."""
        claim = self.claimed.get(key)
        claims = [claim] if claim is not None and claim.evidence != message else []
        return min(self._proven(key, message), default=None) or min(claims, default=None)

    def generation(self, key: HandleKey, proven: bool) -> int:
        """Of the next customer whom the handle founds."""
        return (self.generations.get(key, 0) if proven else 0) + self.erased.get(key, 0)

    def person(self, root: UUID) -> Person:
        return self.people.get(root) or Person(members={root})

    def are_separate(self, one: Person, other: Person) -> bool:
        """Whether people have parted them before."""
        return any(frozenset((a, b)) in self.separations for a in one.members for b in other.members)

    def may_be_one(self, one: Person, other: Person, at: datetime) -> bool:
        """Whether nothing but evidence is missing: nobody has parted the two, and neither grows out of proportion (I6)."""
        parted = self.are_separate(one, other) or not one.has_room(other.proven.keys())
        return not parted and one.may_merge(at) and other.may_merge(at)

    def after(self, plan: Plan) -> Facts:
        """The facts that the next message of the batch is decided on. Equal to reading them again."""
        for link in plan.links:
            self._linked(link, plan)
        if plan.merge is not None:
            self._merged(plan.merge.source, plan.merge.target, plan.message.received_at)
        return self

    def linked_by(self, key: HandleKey, message: UUID) -> Holder | None:
        """The link that this very message made, whatever became of it."""
        held = self.verified.get(key)
        linked = [one for one in self.disputed.get(key, {}).values() if one.cause is not None]
        return next((one for one in (*([held] if held else ()), *linked) if one.evidence == message), None)

    def _proven(self, key: HandleKey, message: UUID) -> Iterator[Holder]:
        if self.linked_by(key, message) is not None:
            return
        held = self.verified.get(key)
        holders: Iterable[Holder] = self.disputed.get(key, {}).values()
        yield from (one for one in (*([held] if held else ()), *holders) if one.evidence != message)

    def _linked(self, link: Link, plan: Plan) -> None:
        key, at = link.observation.key, plan.message.received_at
        by = proven_by(plan.message, link.observation)
        holder = Holder(at, link.root, plan.message.message_id, link.customer, at, proven_by=by)
        disputed = self.disputed.setdefault(key, {})
        if link.action == "claimed":
            self.claimed[key] = min(holder, self.claimed.get(key, holder))
        elif link.action == "linked":
            self.verified.setdefault(key, holder)
            disputed.pop(link.customer, None)
        elif link.action == "disputed":
            disputed.setdefault(link.customer, holder)
        elif link.action == "contested" and key in self.verified:
            disputed[link.customer] = self.verified.pop(key)._replace(cause=plan.message.message_id)
        elif link.action == "revoked":
            self._revoked(key, link)
        elif link.action == "seen":
            self._seen(key, link.customer, at, by)
        if link.action in ("linked", "disputed"):
            person = self.people.setdefault(link.root, Person(members={link.root}))
            person.proven.setdefault(key, link.observation.proof)

    def _revoked(self, key: HandleKey, link: Link) -> None:
        held = self.verified.get(key)
        if held is not None and held.own == link.customer:
            del self.verified[key]
        elif self.disputed[key].pop(link.customer, None) is None:
            return
        self.generations[key] = self.generations.get(key, 0) + 1
        if not any(one.customer == link.root for one in self.disputed[key].values()):
            self.person(link.root).proven.pop(key, None)

    def _seen(self, key: HandleKey, own: UUID, at: datetime, by: str) -> None:
        held = self.verified.get(key)
        if held is not None and held.own == own:
            self.verified[key] = held._replace(seen=max(held.seen, at), proven_by=by)
        elif own in (others := self.disputed[key]):
            others[own] = others[own]._replace(seen=max(others[own].seen, at), proven_by=by)

    def _merged(self, source: UUID, target: UUID, at: datetime) -> None:
        one, other = self.person(source), self.person(target)
        if source == target or source in other.members:
            return
        other.proven = one.proven | other.proven
        other.merged_at += [*one.merged_at, at]
        other.members |= one.members
        self.people[target] = other
        self.people.pop(source, None)
        self.roots |= {named: target for named, root in self.roots.items() if root == source}
        for key in one.proven:
            if (held := self.verified.get(key)) and held.customer == source:
                self.verified[key] = held._replace(customer=target)
            for own, contender in self.disputed.get(key, {}).items():
                if contender.customer == source:
                    self.disputed[key][own] = contender._replace(customer=target)
        for key, claim in self.claimed.items():
            if claim.customer == source:
                self.claimed[key] = claim._replace(customer=target)
