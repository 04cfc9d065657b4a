"""Writes what a batch decided: tickets, messages, decisions, audit and outbox, set-based, in one round trip."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from contracts.base import encode
from runtime.postgres import Connection, together
from sinks.postgres import answer_store, chat_store, note_store, rule_store
from sinks.postgres.rows import StoredTicket, ticket_columns
from sinks.postgres.sql import queries, run
from sinks.postgres.ticket_store import Writes
from sinks.postgres.timer_store import set_timers

TAG_SEPARATOR = "\x1f"
"""Between the tags of one ticket: `unnest` cannot carry arrays of arrays."""

# Column names of each statement's arrays, in the order of the rows.
_MESSAGES = (
    *("workspaces", "messages", "tickets", "customers", "channels", "accounts", "provider_ids", "kinds"),
    *("directions", "targets", "bodies", "happened", "received", "out_of_order"),
    *("topics", "partitions", "offsets", "payloads", "contents", "duplicate_of"),
)
_DUPLICATES = ("topics", "partitions", "offsets", "messages", "at")
_TICKETS = (
    *(
        "workspaces",
        "tickets",
        "numbers",
        "versions",
        "customers",
        "trusts",
        "channels",
        "accounts",
        "stores",
    ),
    *(
        "subjects",
        "departments",
        "categories",
        "priorities",
        "statuses",
        "agents",
        "due",
        "deadlines",
        "tags",
    ),
    *(
        "refers_to",
        "counts",
        "pulled",
        "held",
        "leases",
        "steps",
        "languages",
        "held_back",
        "created",
        "updated",
        "heads",
        "contexts",
        "category_ids",
        "slas",
    ),
    *("clocks", "next_actions", "answered", "answer_minutes", "answer_wall_minutes"),
    *("resolved", "resolution_minutes", "resolution_wall_minutes", "transfers"),
)
_REFS = ("workspaces", "kinds", "values", "tickets")
_ARCHIVED = ("workspaces", "messages", "digests")
_PARTICIPANTS = ("workspaces", "tickets", "kinds", "values")
_DECISIONS = ("workspaces", "messages", "tickets", "rule_sets", "decided", "records")
_AUDIT = ("workspaces", "tickets", "versions", "at", "actors", "actions", "details", "hashes")
_OUTBOX = (
    "ids",
    "aggregates",
    "aggregate_ids",
    "types",
    "payloads",
    "workspaces",
    "traces",
    "shards",
    "created",
)
_ROTATIONS = ("workspaces", "departments", "categories", "turns")
_ASSIGNED = ("workspaces", "agents", "at")


async def write(connection: Connection, writes: Writes) -> None:
    """All of it, in the caller's transaction. The order of tables is the same in every writer."""
    async with together(connection):
        await _insert(connection, "insert_messages", _MESSAGES, sorted(writes.messages, key=_key(2)))
        await _insert(connection, "insert_archive_refs", _ARCHIVED, sorted(writes.archived))
        await _insert(connection, "insert_duplicates", _DUPLICATES, sorted(writes.duplicates, key=_key(3)))
        await _write_tickets(connection, writes)
        await _insert(connection, "insert_refs", _REFS, sorted(writes.refs))
        await _insert(connection, "insert_participants", _PARTICIPANTS, sorted(writes.participants))
        await _insert(connection, "insert_decisions", _DECISIONS, sorted(writes.decisions, key=_key(2)))
        await _insert(connection, "insert_audit", _AUDIT, sorted(writes.audit, key=_key(3)))
        # Not sorted: the sequence must follow the order of each ticket's versions, which is the order of decisions.
        await _insert(connection, "insert_outbox", _OUTBOX, writes.outbox)
        rotations = [(*key, encode(turns).decode()) for key, turns in sorted(writes.rotations.items())]
        await _insert(connection, "move_rotations", _ROTATIONS, rotations)
        assigned = [(*key, at) for key, at in sorted(writes.assigned.items())]
        await _insert(connection, "stamp_agents", _ASSIGNED, assigned)
        await note_store.write_notes(connection, writes.notes)
        await rule_store.write_sends(connection, writes)
        await set_timers(connection, writes.timers)
        await chat_store.add_messages(connection, writes.messages)
        await answer_store.write_chat_answers(connection, writes.chat_answers)
        if writes.outbox:
            await connection.execute(queries("tickets")["notify_outbox"])


async def _write_tickets(connection: Connection, writes: Writes) -> None:
    tickets = [_ticket_row(writes.tickets[key]) for key in sorted(writes.tickets)]
    if not writes.stored:
        await _insert(connection, "upsert_tickets", _TICKETS, tickets)
        return
    for ticket in tickets:
        await _insert(connection, "change_ticket", _TICKET_COLUMNS, [ticket])


def _key(length: int) -> Any:
    """Sorts rows by their first columns: the conflict key of the statement."""
    return lambda row: row[:length]


_TICKET_COLUMNS = (
    *("workspace", "ticket_id", "number", "version", "customer_id", "trust", "channel", "account", "store"),
    *("subject", "department", "category", "priority", "status", "agent", "due_at", "deadline", "tags"),
    *(
        "refers_to",
        "messages",
        "pulled",
        "held_since",
        "lease_until",
        "step",
        "language",
        "held_back",
        "created_at",
        "updated_at",
        "audit_head",
        "context",
        "category_id",
        "sla",
    ),
    *("clocks", "next_action_at", "first_answer_at", "first_answer_minutes", "first_answer_wall_minutes"),
    *("resolution_at", "resolution_minutes", "resolution_wall_minutes", "transfers"),
)
_in_order = itemgetter(*_TICKET_COLUMNS)


def _ticket_row(stored: StoredTicket) -> tuple[Any, ...]:
    values = ticket_columns(stored)
    values["tags"] = TAG_SEPARATOR.join(values["tags"])
    row: tuple[Any, ...] = _in_order(values)
    return row


async def _insert(
    connection: Connection, query: str, names: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    if rows:
        await run(connection, queries("tickets")[query], names, rows)
