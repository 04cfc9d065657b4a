"""Page tokens: the submission id that a form carries from the moment it is shown.

A token is the time of showing, a random part, and an HMAC-SHA256 over both and the form's account. It is the submission's
idempotency key as well, so that one showing makes one message, however often it is sent.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from contracts.workspace import Account, Workspace

_LONGEST = 100
_NONCE_BYTES, _MAC_BYTES = 9, 18


def mint(key: str, workspace: Workspace, account: Account, now: datetime) -> str:
    """A token for a form that is shown now."""
    shown = f"{int(now.timestamp())}.{secrets.token_urlsafe(_NONCE_BYTES)}"
    return f"{shown}.{_mac(key, workspace, account, shown)}"


def shown_at(keys: Sequence[str], workspace: Workspace, account: Account, token: str) -> datetime | None:
    """When the form was shown; None for a token that is not one of ours for this form."""
    if len(token) > _LONGEST or not token.isascii():
        return None
    shown, _, mac = token.rpartition(".")
    # Every key is tried, so that the time tells nothing.
    genuine = [hmac.compare_digest(mac, _mac(key, workspace, account, shown)) for key in keys]
    return datetime.fromtimestamp(int(shown.partition(".")[0]), UTC) if any(genuine) else None


def _mac(key: str, workspace: Workspace, account: Account, shown: str) -> str:
    # The secret may sign other things too: the first word keeps them apart.
    signed = f"page-token.{workspace.slug}.{account.id}.{shown}".encode()
    return base64.urlsafe_b64encode(hmac.digest(key.encode(), signed, "sha256")[:_MAC_BYTES]).decode()
