"""Keyed hashes of what was erased: enough to know it again, and of no use without the key."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from uuid import UUID

from contracts.errors import Refused
from contracts.inbound import InboundMessage
from identity.evidence import Observation
from runtime.kept_key import kept_key
from runtime.settings import Settings

_KEY_FILE = "erasure.key"

MESSAGE = "message"
"""The kind of a tombstone that stands for a message, by its id."""


class Tombstones:
    """`key`: the same in every process that reads or writes them."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def load(cls, settings: Settings) -> Tombstones:
        """With `FRONTDESK_ERASURE_KEY`, or the key in `data/erasure.key`, made at the first call. Raises `Refused` for a
        setting that is not hex."""
        try:
            return cls(bytes.fromhex(settings.erasure_key or kept_key(settings.data / _KEY_FILE)))
        except ValueError:
            raise Refused("bad_erasure_key", "FRONTDESK_ERASURE_KEY is not the hex of 32 bytes") from None

    @property
    def fingerprint(self) -> bytes:
        """Tells two keys apart and says nothing about either."""
        return self._digest("fingerprint")[:8]

    def of(self, workspace: UUID, kind: str, value: str) -> bytes:
        """The digest of a canonical handle or of a message's id. Of no use in another workspace."""
        return self._digest(str(workspace), kind, value)

    def of_message(
        self, message: InboundMessage, seen: Sequence[Observation]
    ) -> list[tuple[UUID, str, bytes]]:
        """Workspace, kind and digest of the message itself, then of the handles that it shows."""
        shown = [(MESSAGE, str(message.message_id)), *(observation.key[1:] for observation in seen)]
        return [(message.workspace, kind, self.of(message.workspace, kind, value)) for kind, value in shown]

    def _digest(self, *parts: str) -> bytes:
        return hmac.digest(self._key, "\0".join(parts).encode(), hashlib.sha256)
