"""All keywords of a rule set in one pass over a text (RE2: linear time, no backtracking anywhere).

Text and keywords are folded alike: NFKC, case, diacritics (ą = a, ø = o, ł = l, ß = ss), Turkish İ and ı as i. A keyword
matches whole words; `drukark*` matches words that begin so; a space in it matches any white space.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

import re2

_MAX_TEXT = 64 * 1024

# Letters that are no base letter with a mark, in Unicode's eyes.
_LETTERS = str.maketrans({"ł": "l", "đ": "d", "ø": "o", "æ": "ae", "œ": "oe", "ı": "i", "þ": "th", "ð": "d"})

# Between words: RE2's \b knows ASCII only.
_EDGE = r"[^\pL\pN_]"
_SPACE = re.compile(r"\s+")


def fold(text: str) -> str:
    """The form in which texts and keywords are compared."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    stripped = "".join(c for c in decomposed if not unicodedata.combining(c))
    return stripped.translate(_LETTERS)


class Keywords:
    """Compiled once for a rule set. `found` is a single pass, whatever the number of keywords."""

    def __init__(self, keywords: Iterable[str]) -> None:
        self._keywords = sorted(set(keywords))
        self._set = re2.Set.SearchSet()
        self._each = []
        for keyword in self._keywords:
            pattern = _pattern(keyword)
            self._set.Add(pattern)
            self._each.append(re2.compile(pattern))
        if self._keywords:
            self._set.Compile()

    def found(self, text: str) -> dict[str, str]:
        """Keyword -> the word of the (folded) text that it matched."""
        if not self._keywords or not text:
            return {}
        folded = f" {fold(text[:_MAX_TEXT])} "
        hits = {}
        for index in self._set.Match(folded) or ():
            match = self._each[index].search(folded)
            hits[self._keywords[index]] = match.group(1) if match else ""
        return hits


def _pattern(keyword: str) -> str:
    """A folded word or phrase between edges. Only `*` at the end of a word has a meaning."""
    words = [_word(word) for word in _SPACE.split(fold(keyword.strip())) if word]
    return f"{_EDGE}({'[[:space:]]+'.join(words)}){_EDGE}"


def _word(word: str) -> str:
    stem = word.rstrip("*")
    escaped: str = re2.escape(stem)
    return escaped + (r"[\pL\pN_]*" if stem != word else "")
