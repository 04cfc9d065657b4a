"""Calls as their providers sign them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

FORM = "application/x-www-form-urlencoded"
META = ("whatsapp", "messenger", "instagram", "facebook_wall")
SIGNED = (*META, "x", "viber", "sms", "call", "rating")
"""Channels that sign their bodies. Telegram sends its secret as it is."""


def headers(
    channel: str, secret: str, body: bytes, url: str = "", at: float | None = None, identity: str = "msg_1"
) -> dict[str, str]:
    """The headers of a genuine call."""
    if channel == "telegram":
        return {"x-telegram-bot-api-secret-token": secret}
    if channel in META:
        return {"x-hub-signature-256": "sha256=" + _hmac(secret, body).hex()}
    if channel == "viber":
        return {"x-viber-content-signature": _hmac(secret, body).hex()}
    if channel == "x":
        return {"x-twitter-webhooks-signature": "sha256=" + base64.b64encode(_hmac(secret, body)).decode()}
    if channel == "sms":
        fields = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)
        signed = url + "".join(name + value for name, value in sorted(set(fields)))
        digest = hmac.new(secret.encode(), signed.encode(), hashlib.sha1).digest()
        return {"x-twilio-signature": base64.b64encode(digest).decode(), "content-type": FORM}
    sent = str(int(time.time() if at is None else at))
    digest = _hmac(secret, f"{identity}.{sent}.".encode() + body)
    signature = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": identity, "webhook-timestamp": sent, "webhook-signature": signature}


def form(fields: Mapping[str, str]) -> bytes:
    return urlencode(fields).encode()


def _hmac(secret: str, body: bytes) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()
