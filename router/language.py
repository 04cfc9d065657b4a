"""Which of a workspace's languages is a text in? The model is loaded when a text is first asked about."""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
from typing import Any

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
        code: str = _model(self._languages).classify(read)[0]
        return next((ours for ours, theirs in _MODEL_S.items() if theirs == code), code)


@lru_cache(maxsize=64)
def _model(languages: tuple[str, ...]) -> Any:
    """70 MB, in processes that need it only; the weights of the other languages would be 28 more."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    whole = LanguageIdentifier.from_model_file(MODEL_FILE)
    known = set(whole.nb_classes)
    whole.set_languages(sorted({_MODEL_S.get(code, code) for code in languages} & known))
    return LanguageIdentifier(
        whole.nb_ptc, whole.nb_pc, whole.nb_classes, whole.tk_nextmove, whole.tk_output, tk_row=whole.tk_row
    )
