"""Signed-in visitors of the chat (I15): what is signed wrongly is refused, and never taken for unsigned."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.errors import Refused
from ingest.channels.chat import SignedIn
from ingest.chat_frames import User
from ingest.chat_users import PUBLIC, signed_in, symmetric, user_hash

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
AT = int(NOW.timestamp())
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC_KEY = (
    PUBLIC + base64.b64encode(PRIVATE.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
)
SECRETS = ("new", "old", PUBLIC_KEY)
EXPIRES = AT + 600
CLAIMS = {"sub": "u-17", "aud": "shop/chat", "exp": EXPIRES, "iat": AT}


def check(user: User | None, secrets: tuple[str, ...] = SECRETS) -> SignedIn | None:
    return signed_in(user, secrets, "shop", "chat", NOW)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def token(alg: str = "HS256", key: str = "new", header: dict[str, Any] | None = None, **claims: Any) -> str:
    given = {k: v for k, v in (CLAIMS | claims).items() if v is not None}
    signed = f"{part({'alg': alg} | (header or {}))}.{part(given)}"
    if alg == "EdDSA":
        proof = PRIVATE.sign(signed.encode())
    else:
        proof = b"" if alg == "none" else hmac.digest(key.encode(), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(proof).rstrip(b'=').decode()}"


def hashed(secret: str = "new", widget: str = "chat", user: str = "u-17", expires: int = EXPIRES) -> str:
    return user_hash(secret, "shop", widget, user, expires)


def test_the_hash_is_what_a_shop_can_make_in_one_line() -> None:
    expected = hmac.new(b"new", f"shop\nchat\nu-17\n{EXPIRES}".encode(), "sha256").hexdigest()
    assert hashed() == expected


@pytest.mark.parametrize("secret", ["new", "old"])
def test_a_good_hash_proves_the_id_and_not_the_address(secret: str) -> None:
    user = User(id="u-17", email="ann@example.com", name="Ann", hash=hashed(secret), expires=EXPIRES)
    assert check(user) == SignedIn(id="u-17", email="ann@example.com", name="Ann")


@pytest.mark.parametrize("alg", ["HS256", "EdDSA"])
def test_a_good_token_proves_what_it_says(alg: str) -> None:
    given = token(alg, header={"kid": "k1"}, jti="t-9", email="ann@example.com", email_verified=True)
    assert check(User(jwt=given)) == SignedIn(
        id="u-17", email="ann@example.com", email_verified=True, key="k1", jti="t-9"
    )


def test_an_address_is_verified_only_if_the_token_says_so() -> None:
    found = check(User(jwt=token(email="ann@example.com")))
    assert found is not None
    assert not found.email_verified


@pytest.mark.parametrize("user", [None, User(), User(id="u-17", email="victim@example.com")])
def test_nothing_signed_is_nobody(user: User | None) -> None:
    assert check(user) is None


@pytest.mark.parametrize(
    "user",
    [
        User(id="u-17", hash="", expires=EXPIRES),
        User(id="u-17", hash="0" * 64, expires=EXPIRES),
        User(id="u-18", hash=hashed(), expires=EXPIRES),
        User(id="u-17", hash=hashed(widget="other"), expires=EXPIRES),
        User(id="u-17", hash=hashed("forgotten"), expires=EXPIRES),
        User(id="u-17", hash=hashed(), expires=EXPIRES + 1),
        User(id="u-17", hash=hashed(), expires=None),
        User(id="u-17", hash=hashed(expires=AT), expires=AT),
        User(id="u-17", hash=hashed(expires=AT + 10**6), expires=AT + 10**6),
        User(id="", hash=hashed(user=""), expires=EXPIRES),
        User(id="u\n17", hash=hashed(user="u\n17"), expires=EXPIRES),
        User(hash=hashed(), expires=EXPIRES),
        User(id="u-17", hash=hashed(PUBLIC_KEY), expires=EXPIRES),
    ],
    ids=[
        *("empty_hash", "random_hash", "hash_of_another", "another_widget", "unknown_secret", "longer_life"),
        *("no_expiry", "expired", "too_long", "no_id", "line_break", "id_missing", "public_key_as_secret"),
    ],
)
def test_a_wrong_hash_is_refused(user: User) -> None:
    with pytest.raises(Refused) as refused:
        check(user)
    assert (refused.value.status, (refused.value.field or "").partition(".")[0]) == (401, "user")


@pytest.mark.parametrize(
    "given",
    [
        "",
        "a.b",
        "a.b.c",
        token("none"),
        token("HS256", PUBLIC_KEY),
        token("HS256", "forgotten"),
        token("HS512"),
        token(header={"crit": ["exp"]}),
        token(aud="shop/other"),
        token(aud="other/chat"),
        token(aud=None),
        token(exp=None),
        token(exp=AT - 1),
        token(exp=AT + 3600),
        token(iat=AT + 3600),
        token(nbf=AT + 3600),
        token(sub=""),
        token(sub=17),
        token("EdDSA").rpartition(".")[0] + ".",
        token()[:-4] + "AAAA",
    ],
)
def test_a_wrong_token_is_refused(given: str) -> None:
    with pytest.raises(Refused) as refused:
        check(User(jwt=given))
    assert refused.value.status == 401


def test_the_id_beside_a_token_must_be_its_own() -> None:
    assert check(User(id="u-17", jwt=token())) is not None
    with pytest.raises(Refused):
        check(User(id="u-18", jwt=token()))


def test_without_a_secret_nobody_can_sign() -> None:
    for secrets in ((), ("",)):
        with pytest.raises(Refused):
            check(User(id="u-17", hash=hashed(""), expires=EXPIRES), secrets)
        with pytest.raises(Refused):
            check(User(jwt=token(key="")), secrets)


def test_a_public_key_signs_nothing() -> None:
    assert symmetric(("", PUBLIC_KEY, "new")) == ("new",)
