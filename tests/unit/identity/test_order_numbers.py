"""Which orders a message names: by the shop's own pattern in what was newly written, and in the form's field."""

from __future__ import annotations

import pytest

from contracts.workspace import Store
from identity.orders.numbers import MOST_NUMBERS, named, spelled
from tests.support.routing import message

NORTH = Store(id="north", name="North", order_number=r"#?(10\d{2})\b")
SOUTH = Store(id="south", name="South", order_number=r"(?i)\bS-\d{4}\b")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"text": "Where is #1042? And 1039, and 1042 again"}, ("1042", "1039")),
        ({"subject": "Order 1042", "text": "It is late."}, ("1042",)),
        ({"text": "My number is 5550142, the year 2010"}, ()),
        ({"text": "order s-0007"}, ("S-0007",)),
        ({"text": "none", "fields": {"order_number": " #1042 "}}, ("1042",)),
        ({"text": "1039", "fields": {"order_number": "my order is 1042"}}, ("1042", "1039")),
        # A number that has not the shop's form is what the customer believes to be one.
        ({"text": "", "fields": {"order_number": "ab-17"}}, ("AB-17",)),
        ({"text": "", "fields": {"order_number": "x" * 65}}, ()),
        ({"text": "", "fields": {"order_number": "17\n18"}}, ()),
        ({"text": None, "quoted_text": "1042"}, ()),
    ],
)
def test_numbers_are_found_by_the_shops_pattern(given: dict[str, object], expected: tuple[str, ...]) -> None:
    assert named(message(**given), [NORTH, SOUTH]) == expected


def test_a_text_is_not_searched_without_a_pattern() -> None:
    assert named(message(text="1042"), [Store(id="a", name="A")]) == ()


def test_a_long_list_names_no_more_than_the_first() -> None:
    numbers = [str(number) for number in range(1000, 1050)]
    assert named(message(text=" ".join(numbers)), [NORTH]) == tuple(numbers[:MOST_NUMBERS])


def test_spellings_of_one_number_are_equal() -> None:
    assert {spelled(number) for number in ("#a-17", " A-17 ", "# a-17")} == {"A-17"}


def test_a_pattern_that_would_ruin_a_backtracking_engine_comes_to_an_end() -> None:
    evil = Store(id="e", name="E", order_number=r"(?:a+)+b")
    assert named(message(text="a" * 60_000), [evil]) == ()
