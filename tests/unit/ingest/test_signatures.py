"""Only what the provider signed is taken: in any channel, whatever is changed, and with either secret while one is replaced."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote_to_bytes

import pytest

from contracts.errors import Refused
from ingest.channel import Request, Verifies, channels
from ingest.signatures import TOLERANCE_SECONDS
from tests.support import hooks

SECRET, OTHER = "0123456789abcdef", "fedcba9876543210"
NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
URL = "https://desk.example/webhooks/sms/main?shop=a"
JSON = b'{"object":"page","entry":[{"id":"1","messaging":[]}],"text":"Gr\\u00fc\\u00dfe"}'
FORM = b"MessageSid=SM1&From=%2B14133881111&Body=Hi+there&Empty="
MUTANTS = 250


def verify(channel: str, request: Request, *secrets: str) -> None:
    found = channels()[channel]
    assert isinstance(found, Verifies)
    found.verify(request, secrets)


def genuine(channel: str, secret: str = SECRET) -> Request:
    body = FORM if channel == "sms" else JSON
    signed = hooks.headers(channel, secret, body, URL, NOW.timestamp())
    return Request("POST", "/webhooks", {}, signed, body, URL, NOW)


def refused(channel: str, request: Request, *secrets: str) -> bool:
    try:
        verify(channel, request, *(secrets or (SECRET,)))
    except Refused as error:
        return error.status in (401, 403)
    return False


ALL = (*hooks.SIGNED, "telegram")


@pytest.mark.parametrize("channel", ALL)
def test_a_genuine_call_is_taken_with_either_secret(channel: str) -> None:
    verify(channel, genuine(channel), SECRET)
    verify(channel, genuine(channel), OTHER, SECRET)
    verify(channel, genuine(channel), SECRET, OTHER)


@pytest.mark.parametrize("channel", ALL)
def test_without_a_secret_nothing_is_taken(channel: str) -> None:
    assert refused(channel, genuine(channel, ""), "")
    with pytest.raises(Refused):
        verify(channel, genuine(channel))


@pytest.mark.parametrize("channel", ALL)
def test_another_secret_is_refused(channel: str) -> None:
    assert refused(channel, genuine(channel, OTHER))


@pytest.mark.parametrize("channel", ALL)
def test_a_header_that_is_missing_empty_doubled_or_cut_is_refused(channel: str) -> None:
    request = genuine(channel)
    for name, value in request.headers.items():
        if name == "content-type":
            continue
        for wrong in ("", value[:-1], value + "x", f"{value}, {value}", value.upper() + "!", "x" * 5000, "ü"):
            assert refused(channel, with_headers(request, {name: wrong})), (name, wrong)
        without = {key: given for key, given in request.headers.items() if key != name}
        assert refused(channel, replace(request, headers=without))


@pytest.mark.parametrize("channel", hooks.SIGNED)
def test_no_mutant_is_taken(channel: str) -> None:
    taken = [mutant for mutant in mutants(channel) if not refused(channel, mutant)]
    assert taken == []


def mutants(channel: str) -> Iterator[Request]:
    """One bit of the body or of a header's value is another one. Base64 has letters with bits that mean nothing to it, but
    here the text is compared."""
    request, chance = genuine(channel), random.Random(channel)
    names = [name for name in request.headers if name != "content-type"]
    for _ in range(MUTANTS):
        if chance.random() < 0.6:
            body = flipped(request.body, chance)
            # Twilio signs what a form says: %2B and %2b are the same.
            if channel != "sms" or unquote_to_bytes(body) != unquote_to_bytes(FORM):
                yield replace(request, body=body)
        else:
            name = chance.choice(names)
            value = flipped(request.headers[name].encode(), chance).decode("latin-1")
            yield with_headers(request, {name: value})


def flipped(data: bytes, chance: random.Random) -> bytes:
    changed = bytearray(data)
    changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def with_headers(request: Request, changes: Mapping[str, str]) -> Request:
    return replace(request, headers={**request.headers, **changes})


@pytest.mark.parametrize(
    "url",
    [URL + "&x=1", URL.replace("main", "other"), URL.replace("https", "http"), URL.partition("?")[0], ""],
)
def test_twilio_signs_the_address(url: str) -> None:
    assert refused("sms", replace(genuine("sms"), url=url))


@pytest.mark.parametrize("port", ["", ":443"])
def test_twilio_is_not_consistent_about_the_port(port: str) -> None:
    signed = URL.replace("desk.example", f"desk.example{port}")
    request = genuine("sms")
    verify("sms", replace(request, headers=hooks.headers("sms", SECRET, FORM, signed)), SECRET)


def test_a_field_that_is_added_is_signed_too() -> None:
    assert refused("sms", replace(genuine("sms"), body=FORM + b"&New=1"))


@pytest.mark.parametrize("channel", ["call", "rating"])
def test_a_captured_call_is_of_no_use_after_five_minutes(channel: str) -> None:
    request, limit = genuine(channel), timedelta(seconds=TOLERANCE_SECONDS)
    verify(channel, replace(request, at=NOW + limit), SECRET)
    verify(channel, replace(request, at=NOW - limit), SECRET)
    assert refused(channel, replace(request, at=NOW + limit + timedelta(seconds=1)))
    assert refused(channel, replace(request, at=NOW - limit - timedelta(seconds=1)))


@pytest.mark.parametrize("channel", ["call", "rating"])
def test_a_service_key_may_be_sent_as_it_is(channel: str) -> None:
    bare = replace(genuine(channel), headers={"authorization": f"Bearer {SECRET}"})
    verify(channel, bare, SECRET)
    for wrong in ("", "Bearer", "Bearer ", f"Basic {SECRET}", f"Bearer {OTHER}", SECRET):
        assert refused(channel, with_headers(bare, {"authorization": wrong}))
    # A wrong signature is not made good by anything else.
    assert refused(channel, with_headers(bare, {"webhook-signature": "v1,AAAA"}))
