"""Which of a workspace's languages is a text in? The model is loaded when a text is first asked about."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from itertools import islice
from unicodedata import normalize

import msgspec

from router.language_table import Model, Table

_LETTERS = 8
"""A text with fewer letters says nothing: `ok`, an order number, a smile."""
_MODEL_S = {"nb": "no"}
"""Codes that the model knows by another name."""
_READ = 100
"""Characters that are read: a sentence or two. More make no better answer."""


class Detector:
    """Restricted to these ISO 639-1 codes; with fewer than two there is nothing to tell apart."""

    def __init__(self, languages: tuple[str, ...]) -> None:
        self._languages = languages

    def language(self, text: str) -> str | None:
        """The code of the likeliest language; None when the text is too short to tell. The same text gives the same."""
        if len(self._languages) < 2:
            return self._languages[0] if self._languages else None
        read = text[:_READ]
        if len(list(islice(filter(str.isalpha, read), _LETTERS))) < _LETTERS:
            return None
        code = _model(self._languages).likeliest(_encoded(read))
        return next((ours for ours, theirs in _MODEL_S.items() if theirs == code), code)


@lru_cache(maxsize=64)
def _model(languages: tuple[str, ...]) -> Model:
    """6 MB for five languages. What it is made of takes 200, so another process makes it, in a second. Raises if that fails."""
    command = [sys.executable, "-m", "router.language_model"]
    codes = sorted({_MODEL_S.get(code, code) for code in languages})
    made = subprocess.run([*command, *codes], capture_output=True, check=False)
    if made.returncode:
        raise RuntimeError(f"no language model ({made.returncode}): {made.stderr.decode(errors='replace')}")
    return Model(msgspec.msgpack.decode(made.stdout, type=Table))


def _encoded(text: str) -> bytes:
    """As the model was trained: what is shouted is lowered."""
    return normalize("NFC", text.lower() if text.isupper() else text).encode("utf-8", "surrogatepass")
