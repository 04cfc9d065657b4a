"""What a message shows of its counterpart."""

from __future__ import annotations

from contracts.inbound import Handle, InboundMessage, Recipient
from identity.evidence import observations
from tests.support.identity import shown
from tests.support.routing import message


def kinds(inbound: InboundMessage) -> list[tuple[str, str, str]]:
    return [(o.key[1], o.key[2], o.proof) for o in observations(inbound, "PL")]


def test_the_best_handle_comes_first_whatever_the_order() -> None:
    handles = [
        ("visitor", "v1", "channel"),
        ("phone", "601 100 200", "claimed"),
        ("email", "Ann@X.example", "claimed"),
        ("telegram_user", "777", "channel"),
        ("external_id", "42", "authoritative"),
    ]
    found = kinds(shown("one", *handles))
    assert [kind for kind, _, _ in found] == ["external_id", "telegram_user", "email", "phone", "visitor"]
    assert found == kinds(shown("one", *reversed(handles)))
    assert ("email", "ann@x.example", "claimed") in found
    assert ("phone", "+48601100200", "claimed") in found


def test_mentions_junk_and_shared_handles_are_left_out() -> None:
    handles = [
        ("phone", "+48601100200", "mentioned"),
        ("email", "noreply@x.example", "verified"),
        ("email", "not an address", "claimed"),
        ("x_user", "null", "channel"),
    ]
    assert kinds(shown("one", *handles)) == []


def test_our_own_address_is_nobody_s() -> None:
    own = frozenset({("email", "ann@shop.example")})
    inbound = shown("one", ("email", "Ann+t7@shop.example", "verified"))
    assert observations(inbound, None, own) == []
    assert len(observations(inbound)) == 1


def test_a_list_s_address_is_nobody_s() -> None:
    handles = [("email", "talk@lists.example", "verified"), ("phone", "+48601100200", "claimed")]
    assert kinds(shown("one", *handles, marks=("from_a_list",))) == [("phone", "+48601100200", "claimed")]


def test_a_network_s_number_is_taken_as_it_is() -> None:
    assert kinds(shown("one", ("phone", "+5215512345678", "verified"))) == [
        ("phone", "+5215512345678", "verified")
    ]
    assert kinds(shown("one", ("phone", "+5215512345678", "claimed"))) == []


def test_an_echo_and_a_bounce_are_about_whom_we_wrote_to() -> None:
    to = (Recipient(value="777", kind="psid"), Recipient(value="ann@x.example"))
    echo = message("one", kind="echo", direction="out", recipients=to)
    assert kinds(echo) == [("psid", "777", "channel")]
    handle = Handle(kind="psid", value="42", proof="channel")
    bounce = message(
        "three", kind="bounce", email="mailer-daemon@mx.example", fields={"failed_recipient": "a@x.example"}
    )
    assert kinds(bounce) == [("email", "a@x.example", "claimed")]
    assert kinds(message("two", handles=(handle,), recipients=to)) == [("psid", "42", "channel")]
