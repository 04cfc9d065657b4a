"""Words that are spelt almost like a keyword. Opt-in per condition: what is alike is not the same."""

from __future__ import annotations

from collections.abc import Sequence

from rapidfuzz import fuzz, process

from router.keywords import fold, words

MIN_LETTERS = 4
"""Shorter words are too like each other: of `size` and `side` three letters of four are the same."""
_MOST_TOKENS = 400
"""Words of a text that are looked at."""

Tokens = tuple[str, ...]


def tokens(text: str) -> Tokens:
    """The folded words of a text, each once, in their order."""
    return tuple(dict.fromkeys(words(text)[:_MOST_TOKENS]))


def alike(keywords: Sequence[str], found_in: Tokens, least: int) -> dict[str, float | None]:
    """The best word for each keyword that reaches `least` of 100, with its score. Of a phrase every word must; the score is
    that of the worst. `drukark*` is compared with the beginnings of words."""
    found: dict[str, float | None] = {}
    for keyword in keywords:
        best = [_best(word, found_in, least) for word in fold(keyword).split()]
        if best and all(best):
            matched = [match for match in best if match]
            found[" ".join(word for word, _ in matched)] = round(min(score for _, score in matched), 1)
    return found


def _best(word: str, found_in: Tokens, least: int) -> tuple[str, float] | None:
    stem = word.strip("*")
    if len(stem) < MIN_LETTERS:
        return (stem, 100.0) if stem in found_in else None
    cut = len(stem) if word.endswith("*") else None
    long_enough = [token for token in found_in if len(token) >= MIN_LETTERS]
    heads = [token[:cut] for token in long_enough]
    best = process.extractOne(stem, heads, scorer=fuzz.ratio, score_cutoff=least)
    return (long_enough[best[2]], best[1]) if best else None
