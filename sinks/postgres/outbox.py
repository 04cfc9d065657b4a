"""How the outbox is cut into shards: the order of one aggregate is kept by whoever relays its shard."""

from __future__ import annotations

from uuid import UUID

SHARDS = 8
"""Fixed: rows that wait in the outbox carry their shard."""


def shard_of(aggregate_id: UUID) -> int:
    """0 … SHARDS - 1. Ids are hashes (`contracts/ids.py`), so their last byte spreads evenly."""
    return aggregate_id.bytes[-1] % SHARDS
