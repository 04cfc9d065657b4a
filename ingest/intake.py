"""The path that every message takes in: limits, normalise, archive, key, produce, acknowledge."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal
from uuid import UUID

import msgspec
import structlog

from contracts import ids, reply_tokens
from contracts.base import encode
from contracts.deadletter import DeadLetter
from contracts.errors import Poison, Refused, Transient
from contracts.inbound import InboundMessage
from contracts.topics import DEAD_LETTERS, INBOUND, MAX_INBOUND_BYTES
from ingest.channel import REF, SPAM_HOLD, Channel, Raw, Unread
from ingest.keys import counterpart_key
from ingest.lanes import Lanes
from ingest.spool import Entry, Spool
from runtime import metrics, trace
from runtime.clock import Clock
from runtime.failpoints import failpoint
from runtime.kafka import Outgoing, Producer
from sinks.archive import Archive

_MAX_LETTER_RAW = 256 * 1024
_BATCH = 500

# A JSON-escaped NUL that is not itself escaped. Postgres' json cannot give such a text back.
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")

OutcomeName = Literal["accepted", "parked", "suppressed"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Receipt:
    """Everything in it is durable: acknowledged by Kafka, or fsynced in the spool."""

    message_ids: tuple[UUID, ...]
    outcome: OutcomeName
    spooled: bool = False


class Intake:
    """Shared by all doors of a process. Concurrent `accept` calls share one produce. Without `lanes` all senders take the
    usual one."""

    def __init__(
        self,
        producer: Producer,
        archive: Archive,
        spool: Spool | None,
        clock: Clock,
        reply_secrets: Sequence[str] = (),
        lanes: Lanes | None = None,
    ) -> None:
        self._producer = producer
        self._lanes = lanes
        self._archive = archive
        self._spool = spool
        self._clock = clock
        self._reply_secrets = [secret.encode() for secret in reply_secrets]
        self._queue: list[tuple[Sequence[Outgoing], asyncio.Future[None]]] = []
        self._sender: asyncio.Task[None] | None = None
        self._away = False

    async def accept(self, channel: Channel, raw: Raw) -> Receipt:
        """Takes the bytes in. Returns when they are durable; only then may the sender be told so.

        Raises `Refused` for what the sender must correct, `Transient` when nothing could be stored (answer 503).
        Bytes that no code can read are parked: also a success, for the sender need not send them again.
        """
        if len(raw.body) > channel.limits.body:
            raise Refused("too_large", f"over {channel.limits.body} bytes", status=413)
        metrics.message_bytes.labels(channel.name).observe(len(raw.body))
        try:
            messages, blobs, unread = channel.normalise(replace(raw, reply_keys=self._keys(raw.workspace)))
        except Poison as error:
            return await self._hold(channel, raw, error.reason, error.detail, "parked")
        if any(SPAM_HOLD in message.marks for message in messages):
            why = ", ".join(mark for mark in messages[0].marks if mark != SPAM_HOLD)
            # With its key, so that a released message is the one whose receipt the sender has.
            key = messages[0].provider_id
            receipt = await self._hold(channel, raw, SPAM_HOLD, why, "suppressed", key)
            return Receipt(tuple(m.message_id for m in messages), "suppressed", receipt.spooled)
        blobs, parts = dict(blobs), list(unread)
        records = []
        for message in messages:
            try:
                records.append(_record(message, blobs))
            except Poison as error:
                parts.append(Unread(error.reason, error.detail, _own_bytes(message, raw, blobs)))
        await self._archive.put(blobs)
        held = await asyncio.gather(*(self._park_part(channel, raw, part) for part in parts))
        if held and not records:
            return Receipt(tuple(one.message_ids[0] for one in held), "parked", any(o.spooled for o in held))
        spooled = await self._deliver(channel, raw, records) if records else False
        metrics.accepted.labels(channel.name, raw.account).inc(len(records))
        for message in messages:
            if message.server_at:
                delay = (message.received_at - message.server_at).total_seconds()
                metrics.source_delay.labels(channel.name).observe(max(0.0, delay))
        return Receipt(tuple(m.message_id for m in messages), "accepted", spooled)

    async def park(self, channel: Channel, raw: Raw, reason: str, detail: str = "") -> Receipt:
        """Keeps bytes for a person to look at: what a door cannot hand on and nobody is there to send again.

        Raises `Transient` when they could not be stored.
        """
        return await self._hold(channel, raw, reason, detail, "parked")

    async def drain(self) -> None:
        """Empties the spool into Kafka, in order, as far as Kafka takes it. Called again and again by the door."""
        while self._spool is not None:
            waiting = await self._spool.oldest(_BATCH)
            if not waiting.entries:
                return
            try:
                await self._produce([entry.outgoing() for entry in waiting.entries])
            except Transient as error:
                log.warning("spool waits", error=str(error))
                return
            self._away = False
            await self._spool.drained(waiting)

    def _keys(self, workspace: UUID) -> list[bytes]:
        return [reply_tokens.workspace_key(secret, workspace) for secret in self._reply_secrets]

    async def _deliver(self, channel: Channel, raw: Raw, records: Sequence[Outgoing]) -> bool:
        """Into Kafka, or into the spool for senders that do not retry. Tells whether it was the spool."""
        account = f"{raw.workspace}/{channel.name}/{raw.account}"
        spool = None if channel.limits.sender_retries else self._spool
        # While Kafka is known to be away, a person at a form does not wait for its time-out.
        if spool is None or not (spool.holds(account) or self._away):
            try:
                await self._send(records)
            except Transient:
                if spool is None:
                    raise
                self._away = True
            else:
                failpoint("intake.after_produce")
                return False
        assert spool is not None
        await spool.append([Entry(account, r.topic, r.key, r.value, r.headers) for r in records])
        return True

    async def _send(self, records: Sequence[Outgoing]) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((records, future))
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._send_queued())
        await future

    async def _send_queued(self) -> None:
        """What came while one produce was under way goes into the next."""
        while self._queue:
            group, self._queue = self._queue[:_BATCH], self._queue[_BATCH:]
            try:
                await self._produce([record for records, _ in group for record in records])
            except Exception as error:
                for _, future in group:
                    if not future.done():
                        future.set_exception(error)
            else:
                for _, future in group:
                    if not future.done():
                        future.set_result(None)

    async def _produce(self, records: Sequence[Outgoing]) -> None:
        """Each on its lane, which is chosen only now: what has waited in the spool goes where its sender goes today."""
        if self._lanes is None:
            await self._producer.send_all(records)
            return
        placed = await self._lanes.place(records)
        try:
            places = await self._producer.send_all(placed)
        except BaseException:
            self._lanes.failed(placed)
            raise
        self._lanes.landed(placed, places)

    async def _park_part(self, channel: Channel, raw: Raw, part: Unread) -> Receipt:
        return await self._hold(channel, replace(raw, body=part.body), part.reason, part.detail, "parked")

    async def _hold(
        self,
        channel: Channel,
        raw: Raw,
        reason: str,
        detail: str,
        how: Literal["parked", "suppressed"],
        key: str = "",
    ) -> Receipt:
        """Keeps bytes that do not go on: unreadable ones, and what looks like spam."""
        large = len(raw.body) > _MAX_LETTER_RAW
        identity = ids.parked_id(raw.workspace, channel.name, raw.account, raw.body)
        digest = ids.sha256_hex(raw.body)
        letter = DeadLetter(
            dead_letter_id=identity,
            stage="ingest",
            reason=reason,
            detail=detail,
            disposition=how,
            raw=b"" if large else raw.body,
            raw_ref=REF + digest if large else None,
            occurred_at=self._clock.now(),
            workspace=raw.workspace,
            channel=channel.name,
            account=raw.account,
            headers={"content-type": raw.content_type} | ({"idempotency-key": key} if key else {}),
        )
        if large:
            await self._archive.put({digest: raw.body})
        order = f"{raw.workspace}|{channel.name}|{raw.account}".encode()
        record = Outgoing(DEAD_LETTERS["ingest"].name, order, encode(letter), trace.headers(raw.trace))
        spooled = await self._deliver(channel, raw, [record])
        metrics.terminal.labels("connector", channel.name, how).inc()
        if how == "suppressed":
            metrics.suspended.labels(channel.name, raw.account, detail).inc()
        return Receipt((identity,), how, spooled)


def _own_bytes(message: InboundMessage, raw: Raw, blobs: dict[str, bytes]) -> bytes:
    """The event's own bytes, which for a call with one event are the call's."""
    if message.raw is None:
        return raw.body
    return message.raw.inline or blobs.get(message.raw.sha256, raw.body)


def _record(message: InboundMessage, blobs: dict[str, bytes]) -> Outgoing:
    value = _encoded(message)
    if len(value) > MAX_INBOUND_BYTES:
        value = _encoded(_by_reference(message, blobs))
    if len(value) > MAX_INBOUND_BYTES:
        raise Poison("too_large", f"{len(value)} bytes after its long parts were archived")
    return Outgoing(INBOUND.name, counterpart_key(message), value, trace.headers(message.trace))


def _encoded(message: InboundMessage) -> bytes:
    value = encode(message)
    return _NUL.sub(rb"\1\\ufffd", value) if b"\\u0000" in value else value


def _by_reference(message: InboundMessage, blobs: dict[str, bytes]) -> InboundMessage:
    """The same message with its long parts in the archive."""
    changes: dict[str, Any] = {"marks": (*message.marks, "long_parts_archived")}
    for part, ref in (("quoted_text", "quoted_text_ref"), ("text", "text_ref")):
        content = getattr(message, part)
        if content and len(content) > 4096:
            encoded = content.encode()
            digest = ids.sha256_hex(encoded)
            blobs[digest] = encoded
            changes |= {part: content[:4096], ref: REF + digest}
    if message.html:
        # Not cut: half a page is no page.
        encoded = message.html.encode()
        digest = ids.sha256_hex(encoded)
        blobs[digest] = encoded
        changes |= {"html": None, "html_ref": REF + digest}
    if message.raw and message.raw.inline is not None:
        blobs[message.raw.sha256] = message.raw.inline
        changes["raw"] = msgspec.structs.replace(message.raw, inline=None, ref=REF + message.raw.sha256)
    most = 500
    if len(message.attachments) > most or len(message.recipients) > most:
        changes |= {"attachments": message.attachments[:most], "recipients": message.recipients[:most]}
    return msgspec.structs.replace(message, **changes)
