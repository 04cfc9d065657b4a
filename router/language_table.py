"""A language model in little room: which n-grams end at each byte of a text, and what they say of each language.

The n-grams stand in one trie whose nodes know the node of their longest suffix (Aho and Corasick), in flat arrays: the child of
`node` by `byte` is slot `node + byte`, if `owner[slot]` is `node`. Between two texts the router's other work takes the processor's
caches, so that what a text costs is memory touched more than steps made: this reads four numbers a byte.
"""

from __future__ import annotations

from array import array
from math import log1p
from struct import unpack

import msgspec

_ONCE = log1p(1)
UNIT = 1 << 24
"""Logarithms are whole numbers of this part: sums of them are exact, and alike on every machine."""


class Table(msgspec.Struct, frozen=True):
    """As one process hands it to another on the same machine; empty where no language is known. Arrays are bytes of unsigned 32-bit numbers."""

    owner: bytes = b""
    """By slot: the node whose child it is."""
    beyond: bytes = b""
    """By slot: the node to go on from."""
    back: bytes = b""
    """By node: the node of its longest suffix. Node 0 is the root, and owns a slot for every byte."""
    feature: bytes = b""
    """By slot: the longest n-gram that ends there; 0 for none."""
    cost: bytes = b""
    """By feature: which of the costs it has."""
    costs: bytes = b""
    """64-bit little-endian numbers, one a language, again and again: how much a feature speaks against each. None costs 0."""
    languages: tuple[str, ...] = ()
    """One named twice is written in two scripts."""
    start: tuple[int, ...] = ()
    """Costs before anything is read, in units."""


class Model:
    """Naive Bayes over n-grams of bytes, each of which counts as the logarithm of how often it is found."""

    def __init__(self, table: Table) -> None:
        self._owner, self._beyond, self._back, self._feature = (
            array("I", numbers) for numbers in (table.owner, table.beyond, table.back, table.feature)
        )
        # All languages in one number: they are summed at once, and few numbers serve many n-grams.
        size = 8 * len(table.languages)
        starts = range(0, len(table.costs), size or 1)
        costs = [int.from_bytes(table.costs[at : at + size], "little") for at in starts]
        self._cost = tuple(map(costs.__getitem__, array("I", table.cost)))
        self._languages, self._start = table.languages, table.start

    def likeliest(self, text: bytes) -> str | None:
        """Of the languages of the table, None where it has none; the first for a text in which the model knows nothing."""
        if not self._languages:
            return None
        cost, found = self._cost, self._found(text)
        once = sum([cost[feature] for feature in found])
        if not once:
            return self._languages[0]
        more = sum([cost[feature] * _more(times) for feature, times in found.items() if times != 1])
        against = self._by_language(once * round(_ONCE * UNIT) + more)
        return self._languages[against.index(min(against))]

    def _found(self, text: bytes) -> dict[int, int]:
        """How often each feature is found."""
        owner, beyond, back, features = self._owner, self._beyond, self._back, self._feature
        found: dict[int, int] = {}
        node = 0
        for byte in text:
            slot = node + byte
            while owner[slot] != node:
                node = back[node]
                slot = node + byte
            feature = features[slot]
            if feature in found:
                found[feature] += 1
            else:
                found[feature] = 1
            node = beyond[slot]
        return found

    def _by_language(self, cost: int) -> list[int]:
        count = len(self._start)
        read = unpack(f"<{count}Q", cost.to_bytes(8 * count, "little"))
        return [start + more for start, more in zip(self._start, read, strict=True)]


def _more(times: int) -> int:
    """What a feature that is found so often counts for more than one that is found once."""
    return round((log1p(times) - _ONCE) * UNIT)
