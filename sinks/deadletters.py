"""Dead letters: from their topics into rows, and what operators do with the rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

import msgspec
from psycopg.rows import class_row

from contracts.base import decoder
from contracts.deadletter import DeadLetter
from contracts.errors import Refused
from contracts.resolved import Position, ResolvedMessage
from contracts.topics import DEAD_LETTERS, INBOUND, Topic
from runtime.kafka import Outgoing, Producer
from runtime.postgres import Database
from runtime.stage import Batch, Delivery, Done, Outcome, Stage
from sinks.postgres.sql import queries

_resolved = decoder(ResolvedMessage)


class Feeder(Stage[DeadLetter]):
    """Stores every dead letter once, under the position that `verify` counts. It rejects nothing: a record that is no
    dead letter is parked by the guard as a letter of this stage, which comes back here and is stored."""

    name: ClassVar[str] = "sinks"
    sources: ClassVar[tuple[Topic, ...]] = tuple(DEAD_LETTERS.values())

    def __init__(self, database: Database) -> None:
        self._database = database

    async def start(self) -> None:
        await self._database.open()

    async def run(self, batch: Batch[DeadLetter]) -> list[Outcome]:
        rows = [_row(delivery) for delivery in batch]
        columns: dict[str, list[Any]] = {name: [row[name] for row in rows] for name in rows[0]}
        async with self._database.transaction() as connection:
            await connection.execute(queries("dead_letters")["insert"], columns)
            await connection.execute(queries("dead_letters")["insert_duplicates"], columns)
        return [Done() for _ in rows]


def _row(delivery: Delivery[DeadLetter]) -> dict[str, Any]:
    letter = delivery.message
    at = _counted_position(delivery)
    failed = letter.position
    return {
        "dead_letter_id": letter.dead_letter_id,
        "workspace": letter.workspace,
        "stage": letter.stage,
        "reason": _text(letter.reason),
        "detail": _text(letter.detail),
        "disposition": letter.disposition,
        "channel": _text(letter.channel),
        "account": _text(letter.account),
        "raw": letter.raw,
        "raw_ref": letter.raw_ref,
        "key": letter.key,
        "headers": msgspec.json.encode(letter.headers).decode(),
        "traceback_sha256": letter.traceback_sha256,
        "failed_topic": failed.topic if failed else None,
        "failed_partition": failed.partition if failed else None,
        "failed_offset": failed.offset if failed else None,
        "topic": at.topic,
        "partition": at.partition,
        "offset": at.offset,
        "occurred_at": letter.occurred_at,
    }


def _counted_position(delivery: Delivery[DeadLetter]) -> Position:
    """The inbound record; for the door, whose input lies on no topic, the dead letter itself."""
    letter = delivery.message
    if letter.stage == "ingest":
        return delivery.record.position
    return letter.source or letter.position or delivery.record.position


def _text(value: str | None) -> str | None:
    """Postgres has no NUL in text, and refusing a dead letter would lose it."""
    return None if value is None else value.replace("\0", "\ufffd")


class ParkedLetter(NamedTuple):
    """A stored dead letter. `raw` is empty in lists, and where `raw_ref` names the archived bytes. Times are UTC."""

    dead_letter_id: UUID
    workspace: UUID | None
    stage: str
    reason: str
    detail: str
    disposition: str
    state: str
    actor: str | None
    channel: str | None
    account: str | None
    raw: bytes
    raw_ref: str | None
    key: bytes | None
    headers: str
    traceback_sha256: str | None
    failed_topic: str | None
    failed_partition: int | None
    failed_offset: int | None
    topic: str
    partition: int
    offset: int
    occurred_at: datetime


Intake = Callable[[ParkedLetter], Awaitable[None]]
"""Puts the bytes that the door parked through the door again; returns when they are accepted."""


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """What operators do. `database` is the system role's."""

    database: Database

    async def find(
        self,
        state: str | None = "waiting",
        stage: str | None = None,
        reason: str | None = None,
        workspace: UUID | None = None,
        limit: int = 100,
    ) -> list[ParkedLetter]:
        """Oldest first, without their bytes. None takes all states, stages, reasons or workspaces."""
        filters = {"state": state, "stage": stage, "reason": reason, "workspace": workspace, "limit": limit}
        return await self._letters("find", filters)

    async def show(self, dead_letter_id: UUID) -> ParkedLetter:
        """One with its bytes. `Refused` (`unknown_dead_letter`) if there is none."""
        found = await self._letters("one", {"dead_letter_id": dead_letter_id})
        if not found:
            raise Refused("unknown_dead_letter", str(dead_letter_id), status=404)
        return found[0]

    async def retry(self, dead_letter_id: UUID, actor: str, producer: Producer, intake: Intake) -> None:
        """Sends the original once more, from the start of the pipeline, and notes who did.

        What identity or router rejected goes to the inbound topic, and is counted there anew; what the door rejected goes
        to `intake`. A crash in between sends twice, and the second is a duplicate. `Refused` for a letter that does not
        wait or whose bytes hold no inbound record.
        """
        letter = await self._waiting(dead_letter_id)
        if letter.stage == "ingest":
            await intake(letter)
        else:
            await producer.send_all([_again(letter)])
        await self._settle(dead_letter_id, "retried", actor)

    async def drop(self, dead_letter_id: UUID, actor: str) -> None:
        """Gives a letter up: it counts as suppressed from now on. `Refused` if it does not wait."""
        await self._waiting(dead_letter_id)
        await self._settle(dead_letter_id, "dropped", actor)

    async def resume(self, stage: str, topic: str, partition: int) -> bool:
        """Closes a fuse; false if it was not open."""
        fuse = {"stage": stage, "topic": topic, "partition": partition}
        return bool(await self.database.fetch([], queries("dead_letters")["close_fuse"], fuse))

    async def _letters(self, query: str, parameters: dict[str, Any]) -> list[ParkedLetter]:
        rows = class_row(ParkedLetter)
        async with self.database.transaction() as connection, connection.cursor(row_factory=rows) as cursor:
            await cursor.execute(queries("dead_letters")[query], parameters)
            return await cursor.fetchall()

    async def _waiting(self, dead_letter_id: UUID) -> ParkedLetter:
        letter = await self.show(dead_letter_id)
        if letter.state != "waiting":
            raise Refused("not_waiting", f"{dead_letter_id} was {letter.state} by {letter.actor}", status=409)
        return letter

    async def _settle(self, dead_letter_id: UUID, state: str, actor: str) -> None:
        what = {"dead_letter_id": dead_letter_id, "state": state, "actor": actor}
        await self.database.fetch([], queries("dead_letters")["settle"], what)


def _again(letter: ParkedLetter) -> Outgoing:
    """Keys give order in the common case only: a resolved record's own key (the customer) does for its inbound bytes."""
    headers = msgspec.json.decode(letter.headers, type=dict[str, str])
    sent = tuple((name, value.encode()) for name, value in headers.items())
    if letter.stage == "sinks":
        return Outgoing(letter.failed_topic or letter.topic, letter.key or b"", letter.raw, sent)
    return Outgoing(INBOUND.name, letter.key or b"", _inbound(letter), sent)


def _inbound(letter: ParkedLetter) -> bytes:
    if letter.stage == "identity":
        return letter.raw
    try:
        return bytes(_resolved.decode(letter.raw).inbound)
    except msgspec.MsgspecError as error:
        raise Refused("not_retryable", f"its bytes are no resolved message: {error}") from None
