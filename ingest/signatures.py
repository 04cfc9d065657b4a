"""Is a call really from the provider? Every check is over the bytes as received, in constant time, against each secret that
is configured (two while one is being replaced); without a secret nothing is genuine. All raise `Refused`."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Literal
from urllib.parse import parse_qs, parse_qsl, urlsplit, urlunsplit

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from contracts.errors import Refused
from ingest.channel import Request

TOLERANCE_SECONDS = 300
"""How far a signed time may be from ours, either way (Standard Webhooks)."""


def token(given: str, secrets: Sequence[str]) -> None:
    """A secret that is sent as it is."""
    _check(given, configured(secrets))


def body_hmac(
    given: str, body: bytes, secrets: Sequence[str], encoding: Literal["hex", "base64"], prefix: str = ""
) -> None:
    """HMAC-SHA256 of the whole body: Meta (hex, `sha256=`), Viber (hex), X (base64, `sha256=`)."""
    digests = (hmac.digest(secret.encode(), body, "sha256") for secret in configured(secrets))
    _check(given, (prefix + written(digest, encoding) for digest in digests))


def twilio(request: Request, secrets: Sequence[str]) -> None:
    """HMAC-SHA1 of the address and the sorted form fields; of a JSON body the address holds the hash
    (https://www.twilio.com/docs/usage/security). Twilio is not consistent about the port, so both spellings are tried."""
    url = urlsplit(request.url)
    declared = parse_qs(url.query).get("bodySHA256")
    if declared is not None:
        _check(declared[0].lower(), (hashlib.sha256(request.body).hexdigest(),))
        fields = ""
    else:
        fields = _sorted_fields(request.body)
    wanted = (
        written(hmac.digest(secret.encode(), (address + fields).encode(), "sha1"), "base64")
        for secret in configured(secrets)
        for address in _with_and_without_port(request.url)
    )
    _check(request.headers.get("x-twilio-signature", ""), wanted)


def standard_webhooks(request: Request, secrets: Sequence[str]) -> None:
    """`webhook-id`, `webhook-timestamp` and `webhook-signature` (https://www.standardwebhooks.com): base64 HMAC-SHA256 of
    `id.timestamp.body`, not older or newer than five minutes."""
    headers = request.headers
    identity, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    signed = f"{identity}.{sent}.".encode() + request.body
    wanted = [
        "v1," + written(hmac.digest(_key(secret), signed, "sha256"), "base64")
        for secret in configured(secrets)
    ]
    # Several signatures are sent while a secret is being replaced. Each is compared.
    given = headers.get("webhook-signature", "").split()[:10]
    matches = [_same(one, wanted) for one in given]
    # A header that came twice has been joined by commas, and is none.
    if not any(matches) or any(one.count(",") != 1 for one in given):
        raise _forged()
    if not _is_recent(sent, request.at):
        raise Refused("stale", "signed too long ago, or in the future", status=401)


def mailgun(timestamp: str, nonce: str, given: str, secrets: Sequence[str], now: datetime) -> None:
    """HMAC-SHA256 of time and token (https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks).
    The mail itself is not covered: only TLS protects it on its way."""
    signed = f"{timestamp}{nonce}".encode()
    body_hmac(given, signed, secrets, "hex")
    if not _is_recent(timestamp, now):
        raise Refused("stale", "signed too long ago, or in the future", status=401)


SENDGRID = "x-twilio-email-event-webhook-signature"


def sendgrid(request: Request, secrets: Sequence[str]) -> None:
    """ECDSA over time and body, by the public key that SendGrid shows: that is the secret here
    (https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features)."""
    sent = request.headers.get("x-twilio-email-event-webhook-timestamp", "")
    signed = sent.encode() + request.body
    if not any(_is_signed(request.headers[SENDGRID], signed, key) for key in configured(secrets)):
        raise _forged()
    if not _is_recent(sent, request.at):
        raise Refused("stale", "signed too long ago, or in the future", status=401)


def own_sender(request: Request, secrets: Sequence[str]) -> None:
    """A system of our own customers': signed by the standard, or with the secret itself as a bearer token."""
    if "webhook-signature" in request.headers:
        standard_webhooks(request, secrets)
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    token(given if scheme.lower() == "bearer" else "", secrets)


def configured(secrets: Iterable[str]) -> list[str]:
    """The secrets that are any. Raises `Refused` when there is none: closed, never open to all."""
    found = [secret for secret in secrets if secret]
    if not found:
        raise Refused("closed", "no secret is configured for this account", status=403)
    return found


def written(digest: bytes, encoding: Literal["hex", "base64"]) -> str:
    """Hexadecimal in lower case, or base64 with padding."""
    return digest.hex() if encoding == "hex" else base64.b64encode(digest).decode()


def _check(given: str, wanted: Iterable[str]) -> None:
    if not _same(given, wanted):
        raise _forged()


def _same(given: str, wanted: Iterable[str]) -> bool:
    presented = given.encode("utf-8", "replace")
    # All are compared, so that the time does not tell which one was close.
    matches = [hmac.compare_digest(presented, one.encode()) for one in wanted]
    return any(matches)


def _forged() -> Refused:
    return Refused("bad_signature", "wrong or missing signature", status=403)


def _sorted_fields(body: bytes) -> str:
    """Names and values without separators, by name; of a name that comes twice each value once, sorted."""
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
    return "".join(name + value for name, value in sorted(set(pairs)))


def _with_and_without_port(url: str) -> Iterator[str]:
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        yield url
        return
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
    default = port or (443 if parts.scheme == "https" else 80)
    for netloc in (host, f"{host}:{default}"):
        yield urlunsplit(parts._replace(netloc=netloc))


def _key(secret: str) -> bytes:
    """The standard's spelling is `whsec_` and base64; any other secret is taken as it is."""
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        return secret.encode()


def _is_signed(given: str, signed: bytes, public_key: str) -> bool:
    try:
        key = load_der_public_key(base64.b64decode(public_key, validate=True))
        if not isinstance(key, EllipticCurvePublicKey):
            return False
        key.verify(base64.b64decode(given, validate=True), signed, ECDSA(SHA256()))
    except (ValueError, UnsupportedAlgorithm, InvalidSignature):
        return False
    return True


def _is_recent(sent: str, now: datetime) -> bool:
    try:
        return abs(now.timestamp() - int(sent)) <= TOLERANCE_SECONDS
    except (ValueError, OverflowError):
        return False
