"""Mail that providers post: genuine or not, and what comes out of each envelope."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_from_bytes

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.errors import Poison, Refused
from contracts.ids import workspace_id
from contracts.inbound import InboundMessage
from ingest.channel import Raw, Request
from ingest.channels.email import CHANNEL
from tests.support import hooks

NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SECRET, OLDER = "key-1", "key-0"
MAIL = (
    b"From: J\xf6rg <joerg@example.com>\r\nTo: support@shop.example\r\nSubject: Order\r\n\r\nGr\xfc\xdfe\r\n"
)
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=frontier"


def multipart(**fields: bytes) -> bytes:
    parts = [
        b'--frontier\r\nContent-Disposition: form-data; name="'
        + name.replace("_", "-").encode()
        + b'"\r\n\r\n'
        + value
        for name, value in fields.items()
    ]
    return b"\r\n".join([*parts, b"--frontier--\r\n"])


def request(body: bytes, content_type: str, **headers: str) -> Request:
    given = {"content-type": content_type} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return Request("POST", "/", {}, given, body, "https://desk.example/", NOW)


def normalised(body: bytes, content_type: str) -> InboundMessage:
    raw = Raw(body, workspace_id("shop"), "support", NOW, content_type)
    (message,) = CHANNEL.normalise(raw).messages
    return message


def mailgun(at: datetime = NOW, secret: str = SECRET, **fields: bytes) -> bytes:
    sent = str(int(at.timestamp()))
    signature = hmac.new(secret.encode(), f"{sent}nonce".encode(), hashlib.sha256).hexdigest()
    return multipart(timestamp=sent.encode(), token=b"nonce", signature=signature.encode(), **fields)


@pytest.mark.parametrize("secret", [SECRET, OLDER])
def test_mailgun_signs_time_and_token(secret: str) -> None:
    CHANNEL.verify(request(mailgun(secret=secret, body_mime=MAIL), MULTIPART), (OLDER, SECRET))


@pytest.mark.parametrize(
    ("body", "secrets"),
    [
        (mailgun(secret="guessed"), (SECRET,)),
        (mailgun(NOW - timedelta(minutes=6)), (SECRET,)),
        (mailgun(NOW + timedelta(minutes=6)), (SECRET,)),
        (mailgun(secret=""), ("",)),
        (mailgun(), ()),
        (multipart(body_mime=MAIL), (SECRET,)),
        (b"no form at all", (SECRET,)),
    ],
)
def test_a_form_that_is_not_genuine_is_refused(body: bytes, secrets: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as refused:
        CHANNEL.verify(request(body, MULTIPART), secrets)
    assert refused.value.status in (401, 403)


def test_sendgrid_signs_time_and_body_with_its_key() -> None:
    key, body, sent = (
        ec.generate_private_key(ec.SECP256R1()),
        multipart(email=MAIL),
        str(int(NOW.timestamp())),
    )
    public = base64.b64encode(
        key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    ).decode()
    signature = base64.b64encode(key.sign(sent.encode() + body, ec.ECDSA(SHA256()))).decode()
    names = {
        "x_twilio_email_event_webhook_signature": signature,
        "x_twilio_email_event_webhook_timestamp": sent,
    }
    CHANNEL.verify(request(body, MULTIPART, **names), ("no key", public))
    for changed in (body + b" ", body[:-1]):
        with pytest.raises(Refused):
            CHANNEL.verify(request(changed, MULTIPART, **names), (public,))
    for secrets in ((), ("no key",), (SECRET,)):
        with pytest.raises(Refused):
            CHANNEL.verify(request(body, MULTIPART, **names), secrets)


def test_a_system_of_one_s_own_signs_by_the_standard_or_shows_the_secret() -> None:
    signed = hooks.headers("call", SECRET, MAIL, at=NOW.timestamp())
    CHANNEL.verify(Request("POST", "/", {}, signed, MAIL, "", NOW), (SECRET,))
    CHANNEL.verify(request(MAIL, "message/rfc822", authorization=f"Bearer {SECRET}"), (SECRET,))
    with pytest.raises(Refused):
        CHANNEL.verify(request(MAIL, "message/rfc822", authorization="Bearer guessed"), (SECRET,))


ENVELOPE = json.dumps({"to": ["support+x@shop.example"], "from": "bounce@example.com"}).encode()


@pytest.mark.parametrize(
    ("body", "content_type", "envelope"),
    [
        (MAIL, "message/rfc822", []),
        (MAIL, "", []),
        (multipart(email=MAIL, envelope=ENVELOPE), MULTIPART, ["support+x@shop.example"]),
        (multipart(email=MAIL, envelope=b"broken"), MULTIPART, []),
        (multipart(body_mime=MAIL, sender=b"a@b.c", recipient=b"a@shop.example, b@shop.example"), MULTIPART,
         ["a@shop.example", "b@shop.example"]),
        (b"recipient=a%40shop.example&body-mime=" + quote_from_bytes(MAIL).encode(), FORM, ["a@shop.example"]),
    ],
)  # fmt: skip
def test_the_mail_comes_out_byte_by_byte(body: bytes, content_type: str, envelope: list[str]) -> None:
    found = normalised(body, content_type)
    assert found.raw is not None
    assert found.raw.inline == MAIL
    assert [r.value for r in found.recipients if r.role == "envelope"] == envelope
    assert found.text == "Gr\u00fc\u00dfe"
    # However it came, it is the same mail.
    assert found.message_id == normalised(MAIL, "").message_id


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (multipart(text=b"parsed already"), MULTIPART),
        (b"a=1", FORM),
        (b"x", MULTIPART),
        (multipart(email=b""), MULTIPART),
    ],
)
def test_a_form_without_a_mail_is_parked_with_its_bytes(body: bytes, content_type: str) -> None:
    with pytest.raises(Poison):
        normalised(body, content_type)
