"""The audit trail's hashes, pure: the chain of each ticket and the Merkle tree over all rows.

Chain: the hash of a row covers the hash of the row before it, so that a row cannot be edited, removed or put in between
without breaking every hash after it. Tree: RFC 6962, so that one signature covers any number of rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

GENESIS = bytes(32)
"""What stands before the first row of a ticket."""

_DOMAIN = b"frontdesk.audit.v1\0"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def entry_hash(
    previous: bytes, ticket_id: UUID, version: int, at: datetime, actor: str, action: str, detail_json: bytes
) -> bytes:
    """The 32 bytes for the column `audit.hash`, and for `tickets.audit_head` after it.

    sha256 over, in this order: `frontdesk.audit.v1` and NUL; the previous hash (32 bytes, `GENESIS` for version 1); the
    ticket's UUID (16 bytes); version (8 bytes); `at` as microseconds since 1970 UTC (8 bytes, signed); then actor and
    action (UTF-8) and the detail, each behind its length in bytes (4 bytes). All integers are big-endian. `at` is aware.
    `detail_json` is exactly what goes into `audit.detail`: the column's type `json` keeps its text as it is.
    """
    digest = hashlib.sha256(_DOMAIN)
    digest.update(previous)
    digest.update(ticket_id.bytes)
    digest.update(version.to_bytes(8, "big"))
    digest.update(((at - _EPOCH) // _MICROSECOND).to_bytes(8, "big", signed=True))
    for part in (actor.encode(), action.encode(), detail_json):
        digest.update(len(part).to_bytes(4, "big"))
        digest.update(part)
    return digest.digest()


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The Merkle tree hash of RFC 6962, section 2.1: leaves prefixed by 0x00, nodes by 0x01."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    level = [hashlib.sha256(b"\x00" + leaf).digest() for leaf in leaves]
    while len(level) > 1:
        # Pairing from the left and carrying an odd last node up gives the RFC's split at powers of two.
        pairs = zip(level[::2], level[1::2], strict=False)
        above = [hashlib.sha256(b"\x01" + left + right).digest() for left, right in pairs]
        level = above + level[-1:] if len(level) % 2 else above
    return level[0]
