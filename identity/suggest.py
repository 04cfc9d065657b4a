"""Who may be the same person: a ranking for people, never a link (trust model, I7).

Two customers are compared only when they share a block, a value made of what they gave that few share, so that nobody is
compared with everybody. Names rank and do not suffice: at least one signal must be another.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from rapidfuzz import fuzz

from identity.aliases import suggestion_key

Trait = Literal["name", "email", "phone", "order", "birth_date", "place", "postcode"]

THRESHOLD = 3.0
"""Below this two records are as likely two people. On labelled records (tests/corpus): precision 1.00, recall 0.89."""

FIELDS: Mapping[str, Trait] = {
    "order_number": "order",
    "birth_date": "birth_date",
    "date_of_birth": "birth_date",
    "city": "place",
    "postcode": "postcode",
}
"""Fields of forms and carts that say something about a person."""

# Digits at the end of a number that remain the same however its country is written (Brazil, Argentina, Mexico).
_LINE_DIGITS = 8
_ALIKE = 0.6
"""Names that are less alike speak against."""
_SEPARATORS = re.compile(r"[\W_]+")
_MANY = 4


class Signal(NamedTuple):
    """Something that speaks for one person, or against it (negative points)."""

    name: str
    points: float


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two customers are, and why."""

    signals: tuple[Signal, ...]

    @property
    def score(self) -> float:
        return round(sum(signal.points for signal in self.signals), 2)

    @property
    def suffices(self) -> bool:
        """Whether people should see it."""
        others = any(signal.points > 0 and signal.name != "name" for signal in self.signals)
        return others and self.score >= THRESHOLD


@dataclass(frozen=True, slots=True)
class Profile:
    """What is known of a customer: canonical addresses and numbers, the rest as it was given."""

    traits: Mapping[Trait, frozenset[str]] = field(default_factory=dict)

    def of(self, trait: Trait) -> frozenset[str]:
        return self.traits.get(trait, frozenset())


def profile(traits: Iterable[tuple[str, str]]) -> Profile:
    """Of (trait, value) pairs; other kinds and empty values are left out."""
    found: dict[Trait, set[str]] = {}
    known: tuple[Trait, ...] = ("name", "email", "phone", "order", "birth_date", "place", "postcode")
    for kind, value in traits:
        spelled = value if kind in ("email", "phone") else folded(value)
        for trait in known:
            if trait == kind and spelled:
                found.setdefault(trait, set()).add(spelled)
    return Profile({trait: frozenset(values) for trait, values in found.items()})


def folded(text: str) -> str:
    """Lower case, without accents and punctuation."""
    plain = unicodedata.normalize("NFKD", text)
    letters = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return _SEPARATORS.sub(" ", letters.casefold()).strip()


def blocks(one: Profile) -> list[str]:
    """Two profiles without a common block are not compared."""
    return sorted(set(_blocks(one)))


def _blocks(one: Profile) -> Iterator[str]:
    tokens = sorted({token for name in one.of("name") for token in name.split()})[:_MANY]
    facts = [f"{trait}:{value}" for trait in _FACTS for value in sorted(one.of(trait))[:_MANY]]
    facts += [f"year:{value[:4]}" for value in sorted(one.of("birth_date"))[:_MANY]]
    for address in sorted(one.of("email"))[:_MANY]:
        local, _, domain = address.rpartition("@")
        yield f"email:{suggestion_key(address) or address}"
        yield f"local:{local}"
        facts.append(f"domain:{domain}")
    for number in sorted(one.of("phone"))[:_MANY]:
        yield f"line:{number[-_LINE_DIGITS:]}"
    for order in sorted(one.of("order")):
        yield f"order:{order}"
    yield from (f"{token}+{fact}" for token in tokens for fact in facts)


_FACTS: tuple[Trait, ...] = ("birth_date", "place", "postcode")


def compare(one: Profile, other: Profile) -> Likeness:
    """What speaks for and against the two being one person."""
    found = [
        _name(one, other),
        _email(one, other),
        _phone(one, other),
        _equal(one, other, "order", 4.0),
        _birth_date(one, other),
        _alike(one, other, "place", 0.75, 0.8),
        _alike(one, other, "postcode", 1.0, 0.8),
    ]
    return Likeness(tuple(signal for signal in found if signal is not None))


def _name(one: Profile, other: Profile) -> Signal | None:
    likeness = _closest(one.of("name"), other.of("name"), _names)
    if likeness is None:
        return None
    over = likeness - _ALIKE
    return Signal("name", round(over * 5, 2))


def _names(one: str, other: str) -> float:
    """First and last name in either order. One name alone says less."""
    a, b = one.split(), other.split()
    if len(a) == 1 or len(b) == 1:
        return 0.85 * max(fuzz.ratio(x, y) for x in a for y in b) / 100
    straight = fuzz.ratio(a[0], b[0]) + fuzz.ratio(a[-1], b[-1])
    crossed = fuzz.ratio(a[0], b[-1]) + fuzz.ratio(a[-1], b[0])
    return max(straight, crossed) / 200


def _email(one: Profile, other: Profile) -> Signal | None:
    likeness = _closest(one.of("email"), other.of("email"), _locals)
    if likeness is None:
        return None
    keys = [{suggestion_key(address) for address in side.of("email")} - {None} for side in (one, other)]
    if one.of("email") & other.of("email"):
        return Signal("same_email", 5.0)
    if keys[0] & keys[1]:
        return Signal("alias_of_email", 4.5)
    if likeness >= 0.85:
        return Signal("similar_email", 4.0)
    return Signal("similar_email", 1.5) if likeness >= 0.75 else Signal("other_email", -1.5)


def _locals(one: str, other: str) -> float:
    """Of what stands before the @: many have the rest in common."""
    return _ratio(one.rpartition("@")[0], other.rpartition("@")[0])


def _phone(one: Profile, other: Profile) -> Signal | None:
    if one.of("phone") & other.of("phone"):
        return Signal("same_phone", 5.0)
    lines = [{number[-_LINE_DIGITS:] for number in side.of("phone")} for side in (one, other)]
    return Signal("same_national_number", 4.0) if lines[0] & lines[1] else None


def _birth_date(one: Profile, other: Profile) -> Signal | None:
    if not one.of("birth_date") or not other.of("birth_date"):
        return None
    if one.of("birth_date") & other.of("birth_date"):
        return Signal("same_birth_date", 3.0)
    years = [{value[:4] for value in side.of("birth_date")} for side in (one, other)]
    if years[0] & years[1]:
        return Signal("same_birth_year", 1.2)
    likeness = _closest(one.of("birth_date"), other.of("birth_date"), _ratio) or 0.0
    return Signal("similar_birth_date", 1.0) if likeness >= 0.85 else Signal("other_birth_date", -2.0)


def _equal(one: Profile, other: Profile, trait: Trait, points: float) -> Signal | None:
    return Signal(f"same_{trait}", points) if one.of(trait) & other.of(trait) else None


def _alike(one: Profile, other: Profile, trait: Trait, least: float, points: float) -> Signal | None:
    likeness = _closest(one.of(trait), other.of(trait), _ratio)
    if likeness is None:
        return None
    return Signal(f"same_{trait}", points) if likeness >= least else Signal(f"other_{trait}", -points)


def _ratio(one: str, other: str) -> float:
    return fuzz.ratio(one, other) / 100


def _closest(
    one: Collection[str], other: Collection[str], likeness: Callable[[str, str], float]
) -> float | None:
    """Of all pairs the best; None when either side has nothing."""
    return max((likeness(a, b) for a in one for b in other), default=None)
