"""The demo's keyword rules on texts of five languages, written as customers write: inflected, shouted, without diacritics; and
on texts that only look alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.language import Detector
from router.ruleset import RuleSet
from sinks.config_files import load_folder, version
from tests.support.routing import Desk, message
from tests.unit.sinks.test_config_files import DEMO

FOLDER = Path(__file__).parent / "texts"
LANGUAGES = ("tr", "pl", "nb", "lt", "en")
TEXTS = {
    language: [
        tuple(line.split("\t")) for line in (FOLDER / f"{language}.tsv").read_text("utf-8").splitlines()
    ]
    for language in LANGUAGES
}
PLACES = {
    "Technical support/Hardware/Printers": "printers",
    "Returns/Exchange": "exchange",
    "Returns/Refund": "refund",
    "Administration/Invoices": "invoices",
}
ABOUT = ("printers", "refunds", "exchanges", "invoices", "wholesale", "urgent", "chased")
NEUTRAL = "-"


@pytest.fixture(scope="module")
def demo() -> RuleSet:
    config = load_folder(DEMO)
    return RuleSet(config, version(config))


def topic(text: str, rules: RuleSet) -> str:
    """What the rules make of it; `-` when no rule about texts matched."""
    plan = Desk(rules).take(message(text=text))
    if plan.ticket.category is not None:
        return PLACES[plan.ticket.category]
    matched = [entry["rule"] for entry in plan.record["rules"] if entry["rule"] in ABOUT]
    return plan.ticket.department if matched else NEUTRAL


@pytest.mark.parametrize("language", LANGUAGES)
def test_at_least_95_of_100_are_right(language: str, demo: RuleSet) -> None:
    asked = [(expected, text) for expected, text in TEXTS[language] if expected != NEUTRAL]
    wrong = [(expected, text) for expected, text in asked if topic(text, demo) != expected]
    assert len(asked) == 50
    assert len(wrong) <= 2, wrong


def test_no_neutral_text_matches(demo: RuleSet) -> None:
    neutral = [text for texts in TEXTS.values() for expected, text in texts if expected == NEUTRAL]
    assert len(set(neutral)) == 200
    assert [text for text in neutral if topic(text, demo) != NEUTRAL] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_language_of_most_texts_is_told(language: str) -> None:
    """Of whole sentences; what has lost its diacritics is hard."""
    detector = Detector(LANGUAGES)
    told = [detector.language(text) for _, text in TEXTS[language]]
    assert sum(found == language for found in told) >= 0.85 * len(told)
