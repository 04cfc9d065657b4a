"""Who a browser is: epochs begin with a login, and nobody inherits a conversation (I8)."""

from __future__ import annotations

import pytest

from ingest.chat_token import Visitor, arrived, mint, opened

ANONYMOUS = Visitor(workspace="shop", widget="chat", id="v_1")
ANN = arrived(ANONYMOUS, "shop", "chat", "ann")


def test_who_comes_back_goes_on() -> None:
    assert arrived(ANONYMOUS, "shop", "chat", None) == ANONYMOUS
    assert arrived(ANN, "shop", "chat", "ann") == ANN


def test_a_login_begins_a_new_epoch_of_the_same_browser() -> None:
    assert (ANN.id, ANN.epoch, ANN.user) == ("v_1", 2, "ann")
    assert ANN.conversation != ANONYMOUS.conversation


@pytest.mark.parametrize("user", [None, "ben"])
def test_after_a_login_everybody_else_is_somebody_new(user: str | None) -> None:
    found = arrived(ANN, "shop", "chat", user)
    assert found.id != ANN.id
    assert (found.epoch, found.user) == (1, user)


def test_a_token_opens_with_any_key_of_its_widget_only() -> None:
    token = mint(ANN, "old")
    assert opened(token, ("new", "old"), "shop", "chat") == ANN
    assert opened(token, ("new",), "shop", "chat") is None
    assert opened(token, ("old",), "shop", "other") is None
    assert opened(token, ("old",), "other", "chat") is None


def test_no_byte_of_a_token_may_be_changed() -> None:
    token = mint(ANN, "old")
    for place in range(len(token)):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        assert opened(changed, ("old",), "shop", "chat") in (None, ANN)
        if place < token.index("."):
            assert opened(changed, ("old",), "shop", "chat") is None
    for other in ("", ".", "ü.ü", token.partition(".")[0], "x" * 5000):
        assert opened(other, ("old",), "shop", "chat") is None
