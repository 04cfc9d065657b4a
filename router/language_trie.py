"""From a table of all moves to a trie in flat arrays (`language_table`). Runs in the process of `language_model` only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
BYTES = 256
_ROOM = 1.4
"""Slots for each edge: with fewer, finding places takes longer than it spares."""


@dataclass(frozen=True, slots=True)
class Trie:
    """Edges, from a node by a byte to a state. A node is a row of moves: states without children share theirs with their
    longest suffix that has some, which is where the next byte is looked up."""

    node: Ints
    byte: Ints
    state: Ints
    back: Ints
    """By node: the node of its longest proper suffix."""


def trie(moves: NDArray[np.uint32], node_of: Ints) -> Trie:
    """`moves`: rows of the next state by byte; `node_of`: the row of each state, of which 0 is the start. Level by level: where
    a state moves other than its longest proper suffix does, it has a child, and the suffix moves to the child's suffix."""
    back = np.zeros(len(moves), np.int64)
    edges = []
    nodes, below = node_of[:1], np.zeros((1, BYTES), moves.dtype)
    while len(nodes):
        own = moves[nodes]
        at, byte = np.nonzero(own != below)
        states, suffixes = own[at, byte].astype(np.int64), node_of[below[at, byte]]
        edges.append((nodes[at], byte, states))
        inner = node_of[states] != suffixes
        nodes = node_of[states[inner]]
        back[nodes] = suffixes[inner]
        below = moves[back[nodes]]
    node, byte, state = map(np.concatenate, zip(*edges, strict=True))
    return Trie(node, byte, state, back)


class Places:
    """Where each node's slots begin, such that no two nodes begin alike and no two children share a slot. The root begins at 0,
    and all the slots from there to the last byte are its own."""

    def __init__(self, found: Trie, root: int) -> None:
        self._node, self._byte = found.node, found.byte
        self.slots = int(len(found.node) * _ROOM) + BYTES
        self.place = np.zeros(len(found.back), np.int64)
        self._free = np.arange(self.slots) >= BYTES
        self._begun = np.arange(self.slots) == 0
        self._random = np.random.default_rng(0)
        children = np.bincount(found.node, minlength=len(found.back))
        children[root] = 0
        for most in 2 ** np.arange(8, -1, -1):  # those with many children first: they find no room later
            self._put(np.flatnonzero((children > most // 2) & (children <= most)))

    def _put(self, nodes: Ints) -> None:
        """Tries random places until each of these nodes has one."""
        edges = np.flatnonzero(np.isin(self._node, nodes))
        while len(nodes):
            self.place[nodes] = self._random.integers(1, self.slots - BYTES, len(nodes))
            lost = self._lost(nodes, edges)
            again = lost[self._node[edges]]
            self._free[self.slot(edges[~again])] = False
            self._begun[self.place[nodes[~lost[nodes]]]] = True
            nodes, edges = nodes[lost[nodes]], edges[again]

    def _lost(self, nodes: Ints, edges: Ints) -> NDArray[np.bool_]:
        """By node: whether its place is another's. Of several that want one, the last has it."""
        owners, places, slots = self._node[edges], self.place[nodes], self.slot(edges)
        lost = np.zeros(len(self.place), bool)
        lost[owners[~self._free[slots] | (_last(slots, owners, self.slots) != owners)]] = True
        lost[nodes[self._begun[places] | (_last(places, nodes, self.slots) != nodes)]] = True
        return lost

    def slot(self, edges: Ints | slice) -> Ints:
        """Of these edges of the trie."""
        return self.place[self._node[edges]] + self._byte[edges]


def _last(where: Ints, what: Ints, size: int) -> Ints:
    """For each: what stands there once all have been written."""
    written = np.zeros(size, np.int64)
    written[where] = what
    return written[where]
