"""What must hold after any fault: the equation, the senders' ledger, the public topic, the trail."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from uuid import UUID

from contracts.base import decoder
from contracts.ticket import TicketEvent
from contracts.topics import TICKET
from runtime.kafka import begin_offsets, end_offsets, read_range
from tests.faults.load import Ledger
from tests.support.chain import Chain
from tests.support.loads import COUNTED, KEPT

_event = decoder(TicketEvent)


def check(chain: Chain, sent: Ledger, at_least: bool = False) -> None:
    """`at_least`: other loads ran on the same chain before. Raises `AssertionError`, naming what is lost, doubled or torn."""
    books = chain.settle()
    assert books["residual"] == 0, books
    known = books["stored"] + books["duplicates"] + books["parked"] + books["suppressed"]
    assert books["accepted"] == known, books
    stored = {row[0]: row[1] for row in chain.rows("SELECT message_id, ticket_id FROM messages")}
    lost = set(sent.acknowledged) - set(stored)
    assert not lost, f"{len(lost)} acknowledged messages are nowhere: {sorted(lost)[:3]}"
    assert at_least or set(stored) == set(sent.acknowledged), "messages that nobody sent"
    assert books["parked"] >= sent.bad_records + sent.parked_at_door, books
    assert all(stored.values()), "a message without a ticket"
    _check_tickets(chain)
    _check_topic(chain)
    trail = chain.command("audit", "verify")
    assert trail.returncode == 0, trail.stdout


def _check_tickets(chain: Chain) -> None:
    doubled = chain.rows(
        "SELECT ticket_id FROM messages WHERE channel = 'webform' GROUP BY ticket_id HAVING count(*) > 1"
    )
    assert not doubled, f"forms that share a ticket: {doubled[:3]}"
    chats = chain.rows(
        "SELECT payload->>'conversation_key' FROM messages WHERE channel = 'telegram' "
        "GROUP BY 1 HAVING count(DISTINCT ticket_id) > 1"
    )
    assert not chats, f"chats with two tickets: {chats[:3]}"
    assert chain.scalar("SELECT count(*) - count(DISTINCT number) FROM tickets") == 0
    torn = chain.rows(
        "SELECT ticket_id FROM tickets t JOIN LATERAL (SELECT count(*) AS n FROM messages m "
        "WHERE m.workspace = t.workspace AND m.ticket_id = t.ticket_id) AS held ON true WHERE t.messages <> held.n"
    )
    assert not torn, f"tickets that miscount their messages: {torn[:3]}"
    assert chain.rows(KEPT) == chain.rows(COUNTED), "agents whose load is not what they hold"


def _check_topic(chain: Chain) -> None:
    """Complete, and the same bytes for every repetition; a reader that keeps the highest version has the table."""
    versions: dict[UUID, dict[int, bytes]] = defaultdict(dict)
    for raw in asyncio.run(_events(chain)):
        event = _event.decode(raw)
        known = versions[event.ticket_id].setdefault(event.version, raw)
        assert known == raw, f"{event.ticket_id} version {event.version} was published with different bytes"
    table = {row[0]: row[1] for row in chain.rows("SELECT ticket_id, version FROM tickets")}
    assert {ticket: max(found) for ticket, found in versions.items()} == table
    for ticket, found in versions.items():
        assert sorted(found) == list(range(1, len(found) + 1)), f"{ticket}: versions {sorted(found)}"


async def _events(chain: Chain) -> list[bytes]:
    bootstrap = chain.settings.kafka
    begins, ends = await begin_offsets(bootstrap, [TICKET]), await end_offsets(bootstrap, [TICKET])
    return [
        record.value or b""
        for (topic, partition), end in ends.items()
        async for record in read_range(bootstrap, topic, partition, begins[(topic, partition)], end)
    ]
