"""Bytes changed as broken programs, bad lines and attackers change them. The same seed, the same bytes."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

_WORDS = (
    b"\0",
    b"\\u0000",
    b"\\ud800",
    b"\xff\xfe",
    b"\xc3\x28",
    b"\r\n",
    b"null",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"true",
    b"[]",
    b"{}",
    b'"',
    b"\\",
    b"<script>alert(1)</script>",
    b"'; DROP TABLE messages; --",
    b"../../etc/passwd",
    "İıßﬀ\u202e\u200b\U0001f4a9".encode(),
    b"x" * 30_000,
    b"[" * 2_000,
)


def _flip(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _cut(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    del data[start : start + chance.choice((1, 2, 8, 40, 1 << 20))]


def _insert(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.choice(_WORDS)


def _overwrite(data: bytearray, chance: random.Random) -> None:
    word, at = chance.choice(_WORDS), chance.randrange(len(data))
    data[at : at + len(word)] = word


def _repeat(data: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(data))
    piece = data[start : start + chance.randrange(1, 60)]
    data[start:start] = piece * chance.choice((1, 2, 50))


_MUTATIONS: Sequence[Callable[[bytearray, random.Random], None]] = (_flip, _cut, _insert, _overwrite, _repeat)


def mutants(originals: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """So many, each an original after one to three mutations."""
    chance = random.Random(seed)
    for _ in range(count):
        data = bytearray(chance.choice(originals))
        for mutation in chance.choices(_MUTATIONS, k=chance.choice((1, 1, 2, 3))):
            if data:
                mutation(data, chance)
        yield bytes(data)
