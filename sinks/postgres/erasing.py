"""What an erasure changes, table by table. Every function works in the caller's transaction, after `erasure_store.shut`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec

from contracts.base import decoder, encode
from contracts.erasure import event_without_person, record_without_person
from contracts.ticket import TicketEvent
from runtime.postgres import Connection
from sinks.archive import REF
from sinks.postgres.sql import columns, queries

_event = decoder(TicketEvent)


class ErasedMessage(NamedTuple):
    """A message of the customer. `conversation`: of a chat; `named`: a mail's Message-ID."""

    message: UUID
    ticket: UUID | None
    account: str
    conversation: str | None
    named: str | None


class Renamed(NamedTuple):
    """A handle, and what stands in its place."""

    kind: str
    value: str
    digest: str


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is erased: a group of merged customers with their tickets and messages."""

    workspace: UUID
    members: Sequence[UUID]
    tickets: Sequence[UUID]
    messages: Sequence[ErasedMessage]

    @property
    def message_ids(self) -> list[UUID]:
        return [message.message for message in self.messages]


async def messages_of(
    connection: Connection, workspace: UUID, members: Sequence[UUID], tickets: Sequence[UUID]
) -> list[ErasedMessage]:
    """What the members wrote, what was written to them on their tickets, and events about these."""
    parameters = {"workspace": workspace, "members": list(members), "tickets": list(tickets)}
    cursor = await connection.execute(queries("erasures")["messages"], parameters)
    return [ErasedMessage(*row) for row in await cursor.fetchall()]


async def erase_messages(connection: Connection, subject: Subject, now: datetime) -> None:
    """The bodies, their files, and what agents answered."""
    gone = {"messages": subject.message_ids}
    files = await _rows(connection, "media", subject, now=now, **gone)
    files += await _rows(connection, "archived", subject, **gone)
    await _run(connection, "messages", subject, **gone)
    await _run(connection, "answers", subject, tickets=subject.tickets)
    await _run(connection, "notes", subject, tickets=subject.tickets)
    chats = {(m.account, m.conversation) for m in subject.messages if m.conversation}
    await _run(connection, "chats", subject, now=now, **columns(("accounts", "conversations"), sorted(chats)))
    await discard(connection, (digest for (digest,) in files), now)


async def erase_tickets(connection: Connection, subject: Subject, handles: Sequence[Renamed]) -> None:
    """What names the tickets, who took part, by which words they were decided, and events that are still here. Their new
    versions are the caller's."""
    own = {"tickets": list(subject.tickets)}
    named = sorted({m.named for m in subject.messages if m.named})
    await _run(connection, "refs", subject, named=named, **own)
    others = sorted({m.ticket for m in subject.messages if m.ticket} - set(subject.tickets))
    shown = columns(("kinds", "values"), [handle[:2] for handle in handles])
    await _run(connection, "participants", subject, others=others, **own, **shown)
    records = await _rows(connection, "decisions", subject, messages=subject.message_ids, **own)
    less = [
        (message, encode(record_without_person(msgspec.json.decode(record))).decode())
        for message, record in records
    ]
    await _run(connection, "redecide", subject, **columns(("messages", "records"), less))
    await _run(connection, "tickets", subject, **own)
    waiting = [
        (shard, seq, encode(event_without_person(_event.decode(payload))))
        for shard, seq, payload in await _rows(connection, "unpublished", subject, **own)
    ]
    await _run(connection, "republish", subject, **columns(("shards", "seqs", "payloads"), waiting))
    await _run(connection, "unsend", subject, **own)
    await _run(connection, "calls", subject, **own)


async def erase_letters(
    connection: Connection, subject: Subject, handles: Sequence[Renamed], actor: str, now: datetime
) -> None:
    """Dead letters whose key names one of the customer's handles, chats or themselves."""
    names = {f"{kind}:{value}".lower() for kind, value, _ in handles}
    names |= {f"to:{value}".lower() for _, value, _ in handles} | {str(member) for member in subject.members}
    names |= {f"chat:{m.account}:{m.conversation}".lower() for m in subject.messages if m.conversation}
    found = [
        letter
        for letter, key in await _rows(connection, "letters", subject)
        if key.decode(errors="replace").lower().partition("|")[2].removeprefix(_channel(key)) in names
    ]
    refs = await _rows(connection, "blank_letters", subject, letters=found, actor=actor)
    await discard(connection, (ref.removeprefix(REF) for (ref,) in refs), now)


def _channel(key: bytes) -> str:
    """The middle of `workspace|channel|counterpart`, with its bar; nothing in `workspace|customer`."""
    parts = key.decode(errors="replace").lower().split("|", 2)
    return f"{parts[1]}|" if len(parts) == 3 else ""


async def erase_customers(
    connection: Connection, subject: Subject, handles: Sequence[Renamed], now: datetime
) -> list[tuple[UUID, int]]:
    """Links, history, merges, traits and the customers themselves, with the versions of their last events."""
    renamed = columns(("kinds", "values", "digests"), handles)
    members = {"members": list(subject.members)}
    await _run(connection, "replied", subject, values=renamed["values"], digests=renamed["digests"])
    await _run(connection, "handles", subject, **renamed, **members)
    await _run(connection, "events", subject, **renamed, **members)
    for query in ("merges", "requests", "traits", "tags"):
        await _run(connection, query, subject, **members)
    known = {kind: [value for of, value, _ in handles if of == kind] for kind in ("email", "phone")}
    await _run(connection, "orders", subject, emails=known["email"], phones=known["phone"])
    await _run(connection, "codes", subject, emails=known["email"], **members)
    sent = {"tickets": list(subject.tickets), "emails": known["email"]}
    await _run(connection, "deliveries", subject, now=now, **sent)
    rows = await _rows(connection, "customers", subject, now=now, **members)
    return sorted((customer, version) for customer, version in rows)


async def discard(connection: Connection, digests: Iterable[str], now: datetime) -> None:
    """Lets the archive's sweeper look whether anybody still needs these bytes."""
    parameters = {"digests": sorted(set(digests)), "now": now}
    await connection.execute(queries("erasing")["garbage"], parameters)


async def _run(connection: Connection, query: str, subject: Subject, **parameters: Any) -> None:
    await connection.execute(queries("erasing")[query], parameters | {"workspace": subject.workspace})


async def _rows(connection: Connection, query: str, subject: Subject, **parameters: Any) -> list[Any]:
    parameters["workspace"] = subject.workspace
    return await (await connection.execute(queries("erasing")[query], parameters)).fetchall()
