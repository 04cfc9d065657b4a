"""Claims of ours in other people's hands: signed text that can stand in a link or in a browser's storage."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Sequence

_LONGEST = 2000


def sealed(purpose: str, claims: bytes, secret: str) -> str:
    """The claims and their signature. `purpose` keeps apart what one secret signs: `rating-link`."""
    text = encoded(claims)
    return f"{text}.{_signature(purpose, text, secret)}"


def claims(given: str) -> bytes:
    """What the text claims; nothing of it is to be believed before `genuine` says so. Raises `ValueError`."""
    return decoded(given[:_LONGEST].partition(".")[0])


def genuine(purpose: str, given: str, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets signed it. Every secret is tried, so that the time tells nothing."""
    text, _, signature = given[:_LONGEST].partition(".")
    found = [
        hmac.compare_digest(signature.encode("utf-8", "replace"), _signature(purpose, text, secret).encode())
        for secret in secrets
        if secret
    ]
    return any(found)


def encoded(data: bytes) -> str:
    """Base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    """The reverse. Raises `ValueError`."""
    return base64.urlsafe_b64decode(text.encode("ascii", "replace") + b"=" * (-len(text) % 4))


def _signature(purpose: str, text: str, secret: str) -> str:
    # The secret signs other things as well: the first word keeps them apart.
    return encoded(hmac.digest(secret.encode(), f"{purpose}.{text}".encode("utf-8", "replace"), "sha256"))
