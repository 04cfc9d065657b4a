"""Where providers keep files, and how those are asked for that several channels share. Pure."""

from __future__ import annotations

import base64
from urllib.parse import urlsplit

from contracts.errors import Transient
from ingest.channel import Access, Ask

META = (".fbcdn.net", ".fbsbx.com", ".cdninstagram.com")
"""Meta's CDNs. Their addresses are signed and end after hours or days."""

TWILIO = ("api.twilio.com", "mms.twiliocdn.com", "media.twiliocdn.com", "s3-external-1.amazonaws.com")
"""The API, and where it sends on to (https://www.twilio.com/docs/messaging/api/media-resource)."""


def token(access: Access) -> str:
    """The account's token. Raises `Transient` when there is none: the operator may give one any time."""
    if not access.token:
        raise Transient("no_token")
    return access.token


def bearer(access: Access) -> dict[str, str]:
    """The header that shows the account's token. Raises `Transient` when there is none."""
    return {"authorization": f"Bearer {token(access)}"}


def is_twilio(ref: str) -> bool:
    """Whether Twilio keeps the file, as it does for every network that it carries."""
    return ref.startswith("https://") and urlsplit(ref).hostname in TWILIO


def twilio(ref: str, access: Access) -> Ask:
    """Files are open to everybody who knows their address, unless the account has forbidden that: then with
    `account SID:auth token`."""
    if not access.token:
        return Ask(ref)
    return Ask(ref, {"authorization": "Basic " + base64.b64encode(access.token.encode()).decode()})
