"""The new text in many languages; nothing of a mail is lost by the cut."""

from __future__ import annotations

import pytest

from ingest.mail import html
from ingest.mail.quoting import split

INTRODUCTIONS = [
    "On Mon, 5 Jan 2026 at 10:12, Ann <a@x.example> wrote:",
    "Am 05.01.2026 um 10:12 schrieb Ann <a@x.example>:",
    "Le lun. 5 janv. 2026 à 10:12, Ann <a@x.example> a écrit :",
    "El lun, 5 ene 2026 a las 10:12, Ann (<a@x.example>) escribió:",
    "Il giorno lun 5 gen 2026 alle ore 10:12 Ann <a@x.example> ha scritto:",
    "Em seg., 5 de jan. de 2026 às 10:12, Ann <a@x.example> escreveu:",
    "Op ma 5 jan. 2026 om 10:12 schreef Ann <a@x.example>:",
    "Den mån 5 jan. 2026 kl 10:12 skrev Ann <a@x.example>:",
    "man. 5. jan. 2026 kl. 10:12 skrev Ann <a@x.example>:",
    "ma 5. tammik. 2026 klo 10.12 Ann (a@x.example) kirjoitti:",
    "pon., 5 sty 2026 o 10:12 Ann <a@x.example> napisał(a):",
    "po 5. 1. 2026 v 10:12 odesílatel Ann <a@x.example> napsal:",
    "po 5. 1. 2026 o 10:12 Ann <a@x.example> napísal(a):",
    "Ann <a@x.example> ezt írta (időpont: 2026. jan. 5., H, 10:12):",
    "Ann <a@x.example>, 5 Oca 2026 Pzt, 10:12 tarihinde şunu yazdı:",
    "пн, 5 янв. 2026 г. в 10:12, Ann <a@x.example> написал(а):",
    "пн, 5 січ. 2026 р. о 10:12 Ann <a@x.example> пише:",
    "În lun., 5 ian. 2026 la 10:12, Ann <a@x.example> a scris:",
    "Στις Δευ 5 Ιαν 2026 στις 10:12 π.μ., ο χρήστης Ann <a@x.example> έγραψε:",
    "Ann <a@x.example> 于2026年1月5日周一 10:12写道：",
    "2026年1月5日(月) 10:12 Ann <a@x.example>:",
    "E, 5. jaanuar 2026 kell 10:12 Ann <a@x.example> kirjutas:",
    "pon, 5. sij 2026. u 10:12 Ann <a@x.example> napisao je:",
    "‫בתאריך יום ב׳, 5 בינו׳ 2026 ב-10:12 מאת ‪Ann‬‏ <‪a@x.example‬‏>:‬",
]


@pytest.mark.parametrize("line", INTRODUCTIONS)
def test_an_introduction_and_what_follows_is_quoted(line: str) -> None:
    found = split(f"Thank you!\n\n{line}\n\n> the old text\n")
    assert found.visible == "Thank you!"
    assert "the old text" in found.quoted


@pytest.mark.parametrize(
    "text",
    [
        "He wrote: call me at 10:30.\nPlease do.",
        "From: Berlin\nI travel tomorrow.",
        "On Monday I will call.",
        "My numbers:\n1. one\n2. two",
    ],
)
def test_plain_talk_is_not_cut(text: str) -> None:
    assert split(text).visible == text


def test_answers_between_quoted_lines_stay_with_them() -> None:
    found = split("On 5 Jan 2026, Ann <a@x.example> wrote:\n> Red?\nYes.\n> Blue?\nNo.\n")
    assert found.visible == "> Red?\nYes.\n> Blue?\nNo."


def test_signatures_are_cut() -> None:
    assert split("Hello\n\n-- \nAnn Lee\nSales").visible == "Hello"
    assert split("Merhaba\n\niPhone'umdan gönderildi").visible == "Merhaba"


def test_quotes_of_html_are_marked() -> None:
    text = html.to_text(
        '<div>New<br>text</div><div class="gmail_quote"><div>On 5 Jan 2026 Ann &lt;a@x.example&gt; wrote:</div>old</div>'
    )
    assert split(text).visible == "New\ntext"
