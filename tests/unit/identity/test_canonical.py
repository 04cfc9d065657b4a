"""One spelling a mailbox and a line, and never one for two."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.workspace import Account, MailSender, Workspace
from identity.aliases import suggestion_key
from identity.canonical import account, canonical, email, phone, phone_of_network
from identity.shared import identifies, is_shared, shared_handles


@pytest.mark.parametrize(
    ("written", "compared"),
    [
        (" Ann.Smith+shop@Example.ORG ", "ann.smith+shop@example.org"),
        ("ann@Bücher.example", "ann@xn--bcher-kva.example"),
        ("ann@xn--bcher-kva.example", "ann@xn--bcher-kva.example"),
        ("jose\u0301@example.org", "jos\u00e9@example.org"),
        ('"ann"@example.org', "ann@example.org"),
        ('"ann smith"@example.org', '"ann smith"@example.org'),
        ('"ann\\ smith"@example.org', '"ann smith"@example.org'),
        ("ÉRIC@example.org", "Éric@example.org"),
    ],
)
def test_an_address_has_one_spelling(written: str, compared: str) -> None:
    assert email(written) == compared
    assert email(compared) == compared


@pytest.mark.parametrize(
    "written",
    [
        *("", "@", "ann", "ann@", "@example.org", "ann@localhost", "ann@127.0.0.1", "ann@[127.0.0.1]"),
        *("ann@example.org.", "a..b@example.org", ".a@example.org", "a.@example.org", "a b@example.org"),
        *("Ann <ann@example.org>", "ann@example.org, ben@example.org", "ann@exa_mple.org", "ann@-a.org"),
        *("ann\x00@example.org", "ann\n@example.org", "ann\u202e@example.org", '"ann@example.org'),
        *("ann@ｅxample.org", "ann＠example.org", "a" * 65 + "@example.org", f"ann@{'a' * 64}.org"),
    ],
)
def test_what_is_no_address_is_none(written: str) -> None:
    assert email(written) is None


def test_dots_tags_and_domains_of_one_provider_are_two_mailboxes_and_one_suggestion() -> None:
    one, two = "J.Ivanov+shop@googlemail.com", "jivanov@gmail.com"
    assert email(one) != email(two)
    assert suggestion_key(one) == suggestion_key(two) == "jivanov@gmail.com"
    assert suggestion_key("a.b+c@example.org") == "a.b+c@example.org"
    assert suggestion_key("ann-shop@yahoo.de") == "ann@yahoo.de"
    assert suggestion_key("Ann+shop@hotmail.co.uk") == "ann@hotmail.co.uk"
    assert suggestion_key("ann@yandex.kz") == "ann@yandex.ru"
    assert suggestion_key("+shop@gmail.com") is suggestion_key("ann") is None


def test_a_number_is_of_the_account_s_country_and_of_no_guess() -> None:
    assert phone("601 100 200", "PL") == phone("0048 601-100-200", "PL") == "+48601100200"
    assert phone("+48 601 100 200", None) == "+48601100200"
    assert phone("601 100 200", None) is None


def test_two_extensions_of_a_switchboard_are_two_people() -> None:
    assert phone("+48 22 123 45 60 ext. 12", None) == "+48221234560;ext=12"
    assert phone("+48 22 123 45 60", None) == "+48221234560"


@pytest.mark.parametrize("written", ["", "12", "+", "hello", "+999123456789", "+48 601", "1" * 300])
def test_what_is_no_number_is_none(written: str) -> None:
    assert phone(written, "PL") is None


def test_a_network_knows_its_numbers_better_than_the_numbering_plans() -> None:
    """WhatsApp's oldest members of Mexico and Brazil have numbers of plans that have passed."""
    for kept in ("+5215512345678", "+551187654321"):
        assert phone(kept, None) is None
        assert phone_of_network(kept, None) == kept
    assert phone_of_network("601 100 200", "PL") == "+48601100200"
    assert phone_of_network("+48 601 100 200", None) == "+48601100200"


def test_ids_of_networks_are_strings() -> None:
    assert account(" 0777 ") == "0777"
    assert canonical("telegram_user", "0777") != canonical("telegram_user", "777")
    assert account("a\x00b") is account("  ") is account("9" * 256) is None


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(
            ("email", f"{local}@example.org")
            for local in ("noreply", "no-reply", "do_not_reply", "donotreply")
        ),
        *(
            ("email", f"{local}@example.org")
            for local in ("info", "office+ann", "mailer-daemon", "null", "root")
        ),
        *(("telegram_user", value) for value in ("null", "None", "0", "undefined", "[object Object]")),
        *(("phone", value) for value in ("+12125550123", "+442079460123", "+48600000000", "+48123456789")),
    ],
)
def test_shared_and_made_up_handles_say_nothing_about_who_wrote(kind: str, value: str) -> None:
    assert canonical(kind, value) is not None
    assert not identifies(kind, value)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        *(("email", f"{local}@example.org") for local in ("ann", "information", "replyno", "supporter")),
        *(("telegram_user", "777"), ("phone", "+48601100200"), ("phone", "+48221234567")),
    ],
)
def test_others_do(kind: str, value: str) -> None:
    assert identifies(kind, value)


def test_a_network_s_number_is_not_made_up() -> None:
    assert identifies("phone", "+48123456789", proven=True)
    assert not identifies("email", "office@example.org", proven=True)


def test_our_own_mailboxes_are_ours_whatever_stands_after_a_plus() -> None:
    own = shared_handles(configured("north@mail.example"))
    assert is_shared(("email", "north+t1@mail.example"), own)
    assert not is_shared(("email", "northern@mail.example"), own)
    assert not is_shared(("x_user", "north@mail.example"), own)


def configured(*addresses: str, **given: Any) -> Workspace:
    """A workspace with these mailboxes."""
    accounts = tuple(
        Account(channel="email", id=f"a{at}", address=address) for at, address in enumerate(addresses)
    )
    return Workspace(slug="shop", name="Shop", accounts=accounts, **given)


@pytest.mark.parametrize(
    ("address", "given", "shared"),
    [
        ("ann@shop.example", {}, True),
        ("ann@post.shop.example", {}, True),
        ("ann@myshop.example", {}, False),
        ("ann@example", {}, False),
        # A shop's mailbox at a provider does not make the provider's customers ours.
        ("ann@mail.example", {}, False),
        ("ann@sent.example", {}, True),
        ("ann@shop.example", {"own_domains": ()}, False),
        ("support@shop.example", {"own_domains": ()}, True),
        ("ann@firm.example", {"own_domains": ("firm.example",)}, True),
        ("ann@shop.example", {"own_domains": ("firm.example",)}, False),
        ("Reception.Two+x@firm.example", {"shared_handles": ("email:reception.two@firm.example",)}, True),
        ("ann@firm.example", {"shared_handles": ("email:reception.two@firm.example",)}, False),
    ],
)
def test_who_is_at_our_own_domains_or_listed_is_not_known_by_that(
    address: str, given: dict[str, Any], shared: bool
) -> None:
    sender = MailSender(name="Shop", address="orders@sent.example")
    shop = configured("support@shop.example", "northshop@mail.example", sender=sender, **given)
    value = email(address)
    assert value is not None or not shared
    assert value is None or is_shared(("email", value), shared_handles(shop)) == shared


def test_a_number_that_many_use_is_listed_by_its_own_kind() -> None:
    shared = shared_handles(configured(shared_handles=("phone:+48221234567", "telegram_user:7")))
    assert is_shared(("phone", "+48221234567"), shared)
    assert is_shared(("telegram_user", "7"), shared)
    assert not is_shared(("viber_user", "7"), shared)
