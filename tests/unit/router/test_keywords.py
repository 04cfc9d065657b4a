"""Keywords in the languages of the customers, and in numbers."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.keywords import Keywords, fold, words


@pytest.mark.parametrize(
    ("keyword", "text", "word"),
    [
        ("drukark*", "Drukarka nie działa", "drukarka"),
        ("drukark*", "DRUKARKĘ!", "drukarke"),
        ("zły rozmiar", "mam ZLY  rozmiar", "zly rozmiar"),
        ("zly rozmiar", "Zły\nrozmiar", "zly rozmiar"),
        ("iade", "İADE istiyorum", "iade"),
        ("iade", "IADE", "iade"),
        ("ısı", "isi", "isi"),
        ("grąžinimas", "GRAZINIMAS", "grazinimas"),
        ("størrelse", "Feil Storrelse", "storrelse"),
        ("größe", "GROSSE", "grosse"),
        ("drukarka", "druk\u00adarka", "drukarka"),
        ("é", unicodedata.normalize("NFD", "é"), "e"),
        ("printer", "ｐｒｉｎｔｅｒ", "printer"),
        ("e-mail", "my e-mail.", "e - mail"),
        ("c++", "a c++ bug", "c + +"),
        ("打印机", "我的打印机坏了", "打 印 机"),
        ("a.c", "a.c", "a . c"),
        ("[x]", "see [x]", "[ x ]"),
    ],
)
def test_found(keyword: str, text: str, word: str) -> None:
    assert Keywords([keyword]).found(text) == {keyword: word}


@pytest.mark.parametrize(
    ("keyword", "text"),
    [
        ("print", "printer"),
        ("printer", "blueprinters"),
        ("drukark*", "nadrukarka"),
        ("wrong size", "wrong colour, size fine"),
        ("a.c", "abc"),
        ("दुनि", "दुनिया"),
        ("x", ""),
    ],
)
def test_not_found(keyword: str, text: str) -> None:
    assert Keywords([keyword]).found(text) == {}


def test_a_keyword_without_a_word_matches_nothing() -> None:
    assert Keywords(["*", " ", ""]).found("anything * at all") == {}


def test_thousands_of_keywords_find_exactly_what_each_alone_finds() -> None:
    words = [f"{a}{b}{c}{d}" for a in "abcdefgh" for b in "aeiou" for c in "klmnpr" for d in "aeiouy"]
    keywords = [word + "*" if number % 4 == 0 else word for number, word in enumerate(words)]
    found = Keywords(keywords).found(" ".join(words[::7]))
    assert set(found) == set(keywords[::7])


def test_folding_whole_texts_is_folding_their_characters() -> None:
    text = "Zażółć gęślą jaźń İıŞşĞğ ŠšŽž Øøæœß ﬁ ①"
    assert fold(text) == "".join(fold(character) for character in text)
    assert fold(fold(text)) == fold(text)


@given(st.text(st.characters(max_codepoint=127)))
def test_the_short_way_for_ascii_reads_the_same_words(text: str) -> None:
    assert words(f"{text} – ") == [*words(text), "–"]
