"""Writes what a batch decided: tickets, messages, decisions, audit and outbox, set-based, in one round trip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from runtime.postgres import Connection
from sinks.postgres.rows import ticket_columns
from sinks.postgres.sql import columns, queries
from sinks.postgres.ticket_store import Writes

_MESSAGES = (
    "workspaces messages tickets customers channels accounts provider_ids kinds directions targets bodies happened "
    "received out_of_order topics partitions offsets payloads"
).split()
_TICKETS = (
    "workspaces tickets numbers versions customers trusts channels accounts stores subjects departments categories "
    "priorities statuses agents due deadlines tags refers counts created updated heads"
).split()
_OUTBOX = "ids aggregates aggregate_ids types payloads workspaces traces shards created".split()


async def write(connection: Connection, writes: Writes) -> None:
    """All of it, in the caller's transaction. The order of tables is the same in every writer."""
    tickets = [ticket_columns(*writes.tickets[key]) for key in sorted(writes.tickets)]
    async with connection.pipeline():
        await _insert(connection, "insert_messages", _MESSAGES, sorted(writes.messages, key=lambda row: row[:2]))
        duplicates = sorted(writes.duplicates, key=lambda row: row[:3])
        await _insert(connection, "insert_duplicates", "topics partitions offsets messages at".split(), duplicates)
        await _insert(connection, "upsert_tickets", _TICKETS, tickets)
        refs = "workspaces kinds values tickets".split()
        await _insert(connection, "insert_refs", refs, sorted(writes.refs, key=lambda row: (row[0], row[1:])))
        people = "workspaces tickets kinds values".split()
        await _insert(connection, "insert_participants", people, sorted(writes.participants))
        decisions = "workspaces messages tickets rule_sets decided records".split()
        await _insert(
            connection, "insert_decisions", decisions, sorted(writes.decisions, key=lambda row: row[:2])
        )
        audit = "workspaces tickets versions at actors actions details hashes".split()
        await _insert(connection, "insert_audit", audit, sorted(writes.audit, key=lambda row: row[:3]))
        # Not sorted: the sequence must follow the order of each ticket's versions, which is the order of decisions.
        await _insert(connection, "insert_outbox", _OUTBOX, writes.outbox)
        await _move_staff(connection, writes)
        if writes.outbox:
            await connection.execute(queries("tickets")["notify_outbox"])


async def _move_staff(connection: Connection, writes: Writes) -> None:
    rotations = [(*key, agent) for key, agent in sorted(writes.rotations.items())]
    await _insert(connection, "move_rotations", "workspaces departments categories agents".split(), rotations)
    assigned = [(*key, at) for key, at in sorted(writes.assigned.items())]
    await _insert(connection, "stamp_agents", "workspaces agents at".split(), assigned)


async def _insert(
    connection: Connection, query: str, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    if rows:
        await connection.execute(queries("tickets")[query], columns(names, rows))
