"""All keywords of a rule set in one pass over a text (RE2: linear time, no backtracking anywhere).

Text and keywords are folded alike: compatibility forms, case, diacritics (ą = a, ø = o, ł = l, ß = ss), Turkish İ and ı
as i, invisible characters dropped. A keyword matches whole words; `drukark*` matches words that begin so, `*skriver` words
that end so, `*skriver*` words that hold it; a space matches any white space; punctuation matches itself.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import re2

_MAX_TEXT = 64 * 1024

# Letters that are no base letter with a mark, in Unicode's eyes.
_LETTERS = str.maketrans({"ł": "l", "đ": "d", "ø": "o", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d"})

# Scripts that put no space between words: a keyword may begin and end anywhere in them.
_UNSPACED = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"  # Kana, Han
)
# Vowel signs of Indian scripts belong to their word, though they are no letters.
_SIGNS = r"\u0900-\u0963\u0966-\u0dff"
# Stands apart from its neighbours: a character of an unspaced script, or of punctuation.
_APART = re.compile(rf"[{_UNSPACED}]|[^\w\s{_SIGNS}]")

_ASCII_IN_WORDS = bytes(code for code in range(128) if not _APART.match(chr(code)))
_ASCII_WHITE_PLAIN = bytes(ord(" ") if chr(code).isspace() else code for code in range(256))

_FOLDED_KEPT = 20_000

# The set's automaton is built as texts ask for it, within this many bytes; 5,000 keywords take a few MiB.
_AUTOMATON_BYTES = 64 << 20


class _Folding(dict[int, str]):
    """Character -> its folded form, worked out once for each character that occurs."""

    def __missing__(self, code: int) -> str:
        folded = _fold_character(chr(code))
        if len(self) < _FOLDED_KEPT:
            self[code] = folded
        return folded


def _fold_character(character: str) -> str:
    if unicodedata.category(character) == "Cf":
        return ""  # soft hyphens, joiners, direction marks: not seen by people
    decomposed = unicodedata.normalize("NFKD", character.casefold()).casefold()
    return "".join(c for c in decomposed if not unicodedata.combining(c)).translate(_LETTERS)


_folding = _Folding()


def fold(text: str) -> str:
    """The form in which texts, keywords and names are compared."""
    return text.lower() if text.isascii() else text.translate(_folding)


class Keywords:
    """Compiled once for a rule set. `found` is a single pass, whatever the number of keywords."""

    def __init__(self, keywords: Iterable[str]) -> None:
        patterns = {keyword: p for keyword in sorted(set(keywords)) if (p := _pattern(keyword))}
        self._keywords = list(patterns)
        options = re2.Options()
        options.max_mem = _AUTOMATON_BYTES
        self._set = re2.Set.SearchSet(options)
        for keyword in self._keywords:
            self._set.Add(patterns[keyword])
        if self._keywords:
            self._set.Compile()
        # What it matches where that is the same in every text, else how that is found.
        self._words = [_literal(keyword) or _finder(keyword, patterns[keyword]) for keyword in self._keywords]

    def found(self, text: str) -> dict[str, str]:
        """Keyword -> the words of the text that it matched, folded."""
        if not self._keywords or not text:
            return {}
        tokens = _spaced(text[:_MAX_TEXT])
        hits = {}
        for index in sorted(self._set.Match(tokens) or ()):
            words = self._words[index]
            hits[self._keywords[index]] = words if isinstance(words, str) else words(tokens)
        return hits


def _finder(keyword: str, pattern: str) -> Callable[[bytes], str]:
    """Finds the words of a text that this keyword matches; it does match some."""
    first, *others = keyword.split()
    if not others and not first.startswith("*"):
        return partial(_begun, f" {_plain(first.rstrip('*'))}".encode())
    # Over bytes: what was found in a str has its places counted anew in characters.
    return partial(_matched, re2.compile(pattern.encode()))


def _begun(beginning: bytes, tokens: bytes) -> str:
    """The word that begins so. Most keywords with a `*` ask for no more, for which no pattern is needed."""
    at = tokens.index(beginning)
    return tokens[at + 1 : tokens.index(b" ", at + len(beginning))].decode()


def _matched(pattern: Any, tokens: bytes) -> str:
    match = pattern.search(tokens)
    return match.group(1).decode() if match else ""


def words(text: str) -> list[str]:
    """The folded words of a text, in order; signs of punctuation are words of their own."""
    return _spaced(text[:_MAX_TEXT]).decode().split()


def _spaced(text: str) -> bytes:
    """Folded tokens with one space around each: the edges of words are then plain spaces."""
    folded = fold(text)
    if not folded.isascii():
        # A function, for a template is expanded anew for every match.
        return f" {' '.join(_APART.sub(_between_spaces, folded).split())} ".encode()
    # Most texts are, once folded: bytes are looked through many times faster than for a pattern.
    tokens = b" %b " % folded.encode().translate(_ASCII_WHITE_PLAIN)
    for sign in set(tokens.translate(None, _ASCII_IN_WORDS)):
        tokens = tokens.replace(b"%c" % sign, b" %c " % sign)
    while b"  " in tokens:
        tokens = tokens.replace(b"  ", b" ")
    return tokens


def _between_spaces(found: re.Match[str]) -> str:
    return f" {found[0]} "


def _plain(word: str) -> str:
    """A word without `*`, as it stands in a text."""
    return _spaced(word).decode().strip()


def _pattern(keyword: str) -> str | None:
    """RE2 for a word or a phrase; None for one without any word. Only `*` at the ends of a word has a meaning."""
    parts = [_word(word) for word in keyword.split()]
    if not all(parts) or not parts:
        return None
    return f" ({' '.join(parts)}) "


def _literal(keyword: str) -> str | None:
    """The folded words of a keyword that asks for nothing else."""
    parts = keyword.split()
    if any(part.startswith("*") or part.endswith("*") for part in parts):
        return None
    return " ".join(map(_plain, parts))


def _word(word: str) -> str:
    stem = word.strip("*")
    escaped: str = re2.escape(_plain(stem))
    if not escaped:
        return ""
    before, after = ("[^ ]*" if asked else "" for asked in (word.startswith("*"), word.endswith("*")))
    return before + escaped + after
