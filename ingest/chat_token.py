"""Who a browser is to the chat: a token that we sign, kept by the page.

A browser has a visitor id, and epochs: a signed login begins a new one, so that what was written before belongs to nobody who
logs in later (operations.md, I8). The conversation, and the handle, are those of one epoch.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec

from ingest import sealed

_PURPOSE = "chat-visitor"
_ID_BYTES = 16


class Visitor(msgspec.Struct, frozen=True, kw_only=True):
    """`user`: the shop's id of who is signed in; None: nobody."""

    workspace: str
    widget: str
    id: str
    epoch: int = 1
    user: str | None = None

    @property
    def conversation(self) -> str:
        """The chat of this epoch, which is also the handle that the person is known by."""
        return f"{self.id}.{self.epoch}"


def mint(visitor: Visitor, secret: str) -> str:
    """The token. The same visitor, the same token."""
    return sealed.sealed(_PURPOSE, msgspec.json.encode(visitor, order="sorted"), secret)


def opened(given: str, keys: Sequence[str], workspace: str, widget: str) -> Visitor | None:
    """Who the token is; None for one that we did not sign for this widget."""
    if not sealed.genuine(_PURPOSE, given, keys):
        return None
    visitor = msgspec.json.decode(sealed.claims(given), type=Visitor)
    return visitor if (visitor.workspace, visitor.widget) == (workspace, widget) else None


def arrived(before: Visitor | None, workspace: str, widget: str, user: str | None) -> Visitor:
    """Who is there now. `before`: whom the browser's token names; `user`: who is proven to be signed in.

    The same person goes on. Who logs in begins a new epoch; who is logged out, or somebody else, is a new visitor: the next
    person at a shared computer reads nothing of the one before.
    """
    if before is not None and before.user == user:
        return before
    if before is not None and before.user is None:
        return msgspec.structs.replace(before, epoch=before.epoch + 1, user=user)
    return Visitor(workspace=workspace, widget=widget, id=f"v_{secrets.token_hex(_ID_BYTES)}", user=user)
