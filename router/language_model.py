"""`python -m router.language_model tr pl`: py3langid's model of these languages, as a `Table` on standard output.

A process of its own, because it takes 200 MB for a second: the model unpacked, and numpy.
"""

from __future__ import annotations

import lzma
import sys
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from py3langid.langid import MODEL_DIR, MODEL_FILE

from router.language_table import UNIT, Table
from router.language_trie import BYTES, Ints, Places, trie

Model = Mapping[str, NDArray[Any]]
_NOBODY = 0xFFFFFFFF
_STEPS = 512
"""Steps of a weight from one whole number to the next: it is a float16 beyond 2, where they are no finer."""


def table(languages: Sequence[str]) -> Table:
    """Languages that the model does not know are left out."""
    # py3langid's own reader unpacks to /tmp, which is too small for it in our containers (deploy/docker-compose.yml).
    with np.load(BytesIO(lzma.decompress((MODEL_DIR / MODEL_FILE).read_bytes()))) as model:
        columns = [at for at, name in enumerate(model["classes"]) if name in languages]
        return _table(model, columns) if columns else Table()


def _table(model: Model, columns: list[int]) -> Table:
    node_of = model["nextmove_row"].astype(np.int64)
    found = trie(model["nextmove"].reshape(-1, BYTES), node_of)
    places = Places(found, int(node_of[0]))
    place, slot, size = places.place, places.slot(slice(None)), places.slots
    cost, costs = _costs(model["ptc"][:, columns])
    owner = _numbers(size, slot, place[found.node], _NOBODY)
    owner[:BYTES] = 0
    return Table(
        owner=owner.tobytes(),
        beyond=_numbers(size, slot, place[node_of[found.state]]).tobytes(),
        back=_numbers(size, place, place[found.back]).tobytes(),
        feature=_numbers(size, slot, model["out_feat"][found.state] + 1).tobytes(),
        cost=cost.astype(np.uint32).tobytes(),
        costs=costs.astype("<u8").tobytes(),
        languages=tuple(model["classes"][columns].tolist()),
        start=_start(model["pc"][columns].tolist()),
    )


def _numbers(size: int, at: Ints, values: Ints, otherwise: int = 0) -> NDArray[np.uint32]:
    numbers = np.full(size, otherwise, np.uint32)
    numbers[at] = values
    return numbers


def _costs(weights: NDArray[np.float16]) -> tuple[Ints, NDArray[np.float64]]:
    """By feature, after the one for none: which row of costs it has; and the rows, each once. Weights are logarithms of
    probabilities, so that no cost is below 0."""
    row_of, first = np.zeros(len(weights), np.int64), np.zeros(1, np.int64)
    for column in weights.T.copy():  # five times as fast as np.unique of rows
        _, first, row_of = np.unique(
            row_of << 16 | column.view(np.uint16), return_index=True, return_inverse=True
        )
    none = np.zeros((1, weights.shape[1]))
    return np.append([0], row_of + 1), np.concatenate([none, weights[first] * -float(_STEPS)])


def _start(priors: list[float]) -> tuple[int, ...]:
    """Only differences count, so that these too are at least 0."""
    return tuple(round((max(priors) - prior) * _STEPS * UNIT) for prior in priors)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.msgpack.encode(table(sys.argv[1:])))
