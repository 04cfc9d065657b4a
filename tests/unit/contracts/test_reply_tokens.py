"""Reply tokens: only ours, only for the address they were made for, whatever a mail server does to their case."""

from __future__ import annotations

from uuid import UUID

import pytest

from contracts import reply_tokens

WORKSPACE = UUID(int=7)
KEY = reply_tokens.workspace_key(b"s" * 32, WORKSPACE)
TOKEN = reply_tokens.mint(KEY, WORKSPACE, 4711, "Ann@Customer.example")


def test_a_token_opens_for_its_recipient_in_any_case() -> None:
    assert reply_tokens.opened([KEY], WORKSPACE, TOKEN.upper(), ["ann@customer.example"]) == (4711, True)


def test_somebody_elses_token_names_the_ticket_and_proves_nothing() -> None:
    assert reply_tokens.opened([KEY], WORKSPACE, TOKEN, ["eve@other.example"]) == (4711, False)


@pytest.mark.parametrize("at", range(1, reply_tokens.LENGTH - 1))
def test_a_changed_character_is_no_signature(at: int) -> None:
    other = "b" if TOKEN[at] != "b" else "c"
    found = reply_tokens.opened(
        [KEY], WORKSPACE, TOKEN[:at] + other + TOKEN[at + 1 :], ["ann@customer.example"]
    )
    assert found is None or not found.signed


def test_a_token_is_good_in_its_workspace_only() -> None:
    other = reply_tokens.workspace_key(b"s" * 32, UUID(int=8))
    assert other != KEY
    assert reply_tokens.opened([KEY], UUID(int=8), TOKEN, ["ann@customer.example"]) == (4711, False)
    assert reply_tokens.opened([other], WORKSPACE, TOKEN, ["ann@customer.example"]) == (4711, False)


def test_while_a_key_is_replaced_both_are_good() -> None:
    fresh = reply_tokens.workspace_key(b"n" * 32, WORKSPACE)
    assert reply_tokens.opened([fresh, KEY], WORKSPACE, TOKEN, ["ann@customer.example"]) == (4711, True)


def test_without_keys_nothing_is_signed() -> None:
    assert reply_tokens.opened([], WORKSPACE, TOKEN, ["ann@customer.example"]) == (4711, False)


def test_an_address_with_a_token_keeps_within_the_limit_of_a_local_part() -> None:
    address = reply_tokens.reply_address("customer-service-north-west@shop.example", TOKEN)
    assert len(address.partition("@")[0]) <= 64
    assert reply_tokens.found(address) == [TOKEN]
    assert reply_tokens.found(f"<{reply_tokens.reply_id(TOKEN, '1', 'shop.example')}>") == [TOKEN]


@pytest.mark.parametrize(
    "address", ["support+billing@shop.example", "t" * 64 + "@x.example", f"x{TOKEN}@y", ""]
)
def test_other_addresses_hold_no_token(address: str) -> None:
    assert reply_tokens.found(address) == []


@pytest.mark.parametrize("junk", ["", "t", "t" + "a" * 34, "t" + "1" * 34, "é" * 35, TOKEN[:-2]])
def test_junk_is_no_token(junk: str) -> None:
    assert reply_tokens.opened([KEY], WORKSPACE, junk, ["ann@customer.example"]) is None


@pytest.mark.parametrize("number", [0, -1, reply_tokens.MAX_NUMBER + 1])
def test_only_ticket_numbers_are_minted(number: int) -> None:
    with pytest.raises(ValueError, match="ticket number"):
        reply_tokens.mint(KEY, WORKSPACE, number, "ann@customer.example")
