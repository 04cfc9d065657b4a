"""What rules read from the stores and what they send, set-based, in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from runtime.postgres import Connection
from sinks.postgres.sql import Answer, ask, columns, queries
from sinks.postgres.ticket_store import Key, Writes

_ask = partial(ask, "rules")


async def opening_messages(connection: Connection, tickets: Iterable[Key]) -> dict[Key, str]:
    """Ticket -> the inbound record of the message that opened it."""

    def shape(rows: list[tuple[UUID, UUID, str]]) -> dict[Key, str]:
        return {(workspace, ticket): payload for workspace, ticket, payload in rows}

    asked = await _ask(connection, "opening_messages", ("workspaces", "tickets"), tickets, shape)
    return await asked()


async def customer_tags(
    connection: Connection, customers: Iterable[Key]
) -> Answer[dict[Key, tuple[str, ...]]]:
    """Customer -> tags, sorted. Those without a tag are not among them."""

    def shape(rows: list[tuple[UUID, UUID, list[str]]]) -> dict[Key, tuple[str, ...]]:
        return {(workspace, customer): tuple(tags) for workspace, customer, tags in rows}

    return await _ask(connection, "customer_tags", ("workspaces", "customers"), customers, shape)


async def tag_customer(connection: Connection, customer: Key, tags: Sequence[str], remove: bool) -> None:
    """Gives a customer these tags, or takes them away."""
    parameters = {"workspace": customer[0], "customer": customer[1], "tags": list(tags)}
    query = queries("rules")["untag_customer" if remove else "tag_customer"]
    await connection.execute(query, parameters)


async def lock_answered(
    connection: Connection, keys: Iterable[tuple[UUID, str, str]]
) -> Answer[dict[tuple[UUID, str, str], datetime]]:
    """(workspace, channel, address) -> when it last got an automatic answer. Made when missing, locked in order; ask for it
    after the locks of customers and tickets."""

    def shape(rows: list[tuple[Any, ...]]) -> dict[tuple[UUID, str, str], datetime]:
        return {(row[0], row[1], row[2]): row[3] for row in rows if row[3] is not None}

    wanted, names = sorted(set(keys)), ("workspaces", "channels", "recipients")
    if wanted:
        await connection.execute(queries("rules")["ensure_answered"], columns(names, wanted))
    return await _ask(connection, "lock_answered", names, wanted, shape)


async def write_sends(connection: Connection, writes: Writes) -> None:
    """Who was answered, and the calls of webhooks."""
    answered = [(*key, at) for key, at in sorted(writes.answered.items())]
    if answered:
        await connection.execute(queries("rules")["stamp_answered"], columns(_ANSWERED, answered))
    if writes.webhook_calls:
        calls = sorted(writes.webhook_calls, key=lambda call: call[:2])
        await connection.execute(queries("rules")["add_webhook_calls"], columns(_CALLS, calls))


_ANSWERED = ("workspaces", "channels", "recipients", "at")
_CALLS = ("workspaces", "calls", "webhooks", "urls", "bodies", "at")
