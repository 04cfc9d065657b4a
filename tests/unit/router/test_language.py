"""The detector answers as py3langid does, whose model it is, and leaves py3langid and numpy to another process."""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from py3langid.langid import MODEL_FILE, LanguageIdentifier

from router.language import Detector

LANGUAGES = ("tr", "pl", "nb", "lt", "en")
SCRIPTS = ("sr", "hr", "ru", "el", "ar", "zh", "ja", "en")
"""Serbian is in the model twice, once a script."""
FOLDER = Path(__file__).parent / "texts"
HAIR = 0.001
"""py3langid rounds each sum to 24 bits."""
SAY = f"""
import sys
from router.language import Detector
print(Detector({LANGUAGES}).language("Drukarka nie działa od wczoraj"), {{"numpy", "py3langid"}} & sys.modules.keys())
"""


@lru_cache
def theirs(languages: tuple[str, ...]) -> LanguageIdentifier:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages(["no" if code == "nb" else code for code in languages])
    return identifier


def agree(languages: tuple[str, ...], text: str) -> bool:
    """Also where py3langid has two languages so close that its rounding decides. A text too short to tell agrees."""
    ours = Detector(languages).language(text)
    if ours is None:
        return len(list(islice(filter(str.isalpha, text[:100]), 8))) < 8
    asked = theirs(languages)
    best, score = asked.classify(text[:100])
    said = "no" if ours == "nb" else ours
    return said == best or score - dict(asked.rank(text[:100]))[said] < HAIR


def lines(language: str) -> list[str]:
    return [line.split("\t")[-1] for line in (FOLDER / f"{language}.tsv").read_text("utf-8").splitlines()]


@pytest.mark.parametrize("language", LANGUAGES)
def test_answers_as_py3langid_on_texts_of_customers(language: str) -> None:
    texts = lines(language)
    several = [" ".join(texts[at : at + 5]) for at in range(len(texts))]
    repeated = [f"{text} {text} {text}" for text in texts]
    shouted = [text.upper() for text in texts]
    for text in (*texts, *several, *repeated, *shouted):
        assert agree(LANGUAGES, text), text
        assert agree(SCRIPTS, text), text


@given(st.text(min_size=8, max_size=120))
@example("hhhhhhhh")  # none of the model's n-grams
@example("ქართული ენა")
@example("Штампач не ради од јуче")
@example("e\u0301te\u0301 a\u0300 la plage")
@example("\ud800 half a pair of surrogates")
@example("the " * 30)
def test_answers_as_py3langid_on_any_text(text: str) -> None:
    assert agree(LANGUAGES, text)
    assert agree(SCRIPTS, text)


@given(
    st.lists(
        st.sampled_from(
            [word for language in LANGUAGES for text in lines(language) for word in text.split()]
        ),
        min_size=2,
        max_size=12,
    )
)
def test_answers_as_py3langid_on_languages_mixed(words: list[str]) -> None:
    assert agree(LANGUAGES, " ".join(words))


def test_the_process_that_asks_loads_neither_numpy_nor_py3langid() -> None:
    ended = subprocess.run([sys.executable, "-c", SAY], capture_output=True, text=True, check=True)
    assert ended.stdout == "pl set()\n"


def test_a_language_that_the_model_does_not_know_is_left_out() -> None:
    assert Detector(("xx", "pl")).language("The printer does not work") == "pl"


def test_without_a_model_there_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = Detector(("de", "fr"))
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", "/bin/false")
        with pytest.raises(RuntimeError, match="no language model"):
            detector.language("Der Drucker geht nicht mehr")
    assert detector.language("Der Drucker geht nicht mehr") == "de"


def test_languages_that_the_model_does_not_know_are_never_found() -> None:
    text = "Drukarka nie działa od wczoraj"
    assert Detector(("xx", "yy")).language(text) is None
    assert Detector(("xx", "pl")).language(text) == "pl"
