"""A changed telephone number on a real Postgres: links end and begin, and the history says why."""

from __future__ import annotations

import pytest

from tests.pipeline.test_identity_store import rebuilt_otherwise, rows, worker
from tests.support.system import Dsns
from tests.unit.identity.test_moves import NEW, OLD, moves, writes


@pytest.mark.parametrize("at_once", [True, False])
async def test_a_number_that_was_given_up_founds_somebody_else(database: Dsns, at_once: bool) -> None:
    messages = [writes("before", OLD), moves(), moves(), writes("after", NEW), writes("stranger", OLD)]
    batches = [messages] if at_once else [[message] for message in messages]
    async with worker(database) as identity:
        found = [resolved.customer for batch in batches for resolved in await identity.take(batch)]
    customers = [link.id for link in found if link]
    assert len(customers) == len(messages)
    assert len({*customers[:4]}) == 1
    assert customers[4] not in customers[:4]
    held = await rows(database, "SELECT value, state, customer_id FROM handles ORDER BY value, state")
    assert held == [
        (OLD, "revoked", customers[0]),
        (OLD, "verified", customers[4]),
        (NEW, "verified", customers[0]),
    ]
    assert await rebuilt_otherwise(database) == []


@pytest.mark.parametrize("at_once", [True, False])
async def test_who_moved_is_known_with_all_they_have_proven(database: Dsns, at_once: bool) -> None:
    """Else another login would find nothing that speaks against it."""
    login, other = (("external_id", name, "authoritative") for name in ("42", "43"))
    batches = [[moves(), writes("other", NEW, other)]]
    async with worker(database) as identity:
        (before,) = await identity.take([writes("before", OLD, login)])
        for batch in batches if at_once else [[one] for one in batches[0]]:
            found = await identity.take(batch)
    after = found[-1].customer
    assert before.customer
    assert after
    assert after.id != before.customer.id
    holders = (
        "SELECT customer_id FROM handles WHERE kind = 'external_id' AND state = 'verified' ORDER BY value"
    )
    assert await rows(database, holders) == [(before.customer.id,), (after.id,)]
    assert await rebuilt_otherwise(database) == []
