"""Every deterministic id, in one file. All are UUIDv5 (RFC 9562) under NAMESPACE; parts are joined by NUL,
which no part may hold, so that ("a", "bc") and ("ab", "c") differ.

Same input, same id: this is what makes every hop of the pipeline repeatable.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from uuid import UUID

import msgspec

NAMESPACE = UUID("6f0c3a52-54a4-5b1e-9d8e-3a1f0c7be2d4")

_NAMED = hashlib.sha1(NAMESPACE.bytes, usedforsecurity=False)


def derive(kind: str, *parts: str) -> UUID:
    """The id of `kind` for these parts; NUL inside a part is replaced, so that it cannot forge a border."""
    name = "\0".join((kind, *parts))
    if name.count("\0") > len(parts):
        name = "\0".join((kind, *(part.replace("\0", "\ufffd") for part in parts)))
    # As `uuid.uuid5` does it, in a fraction of its time: every message has a handful of ids.
    hashed = _NAMED.copy()
    hashed.update(name.encode())
    digest = bytearray(hashed.digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50  # version 5
    digest[8] = digest[8] & 0x3F | 0x80  # of RFC 9562's variant
    return msgspec.convert(digest, UUID)


def written(identity: UUID) -> str:
    """`str(identity)`, which Python's own UUID takes four times as long for."""
    text: str = msgspec.to_builtins(identity)
    return text


def sha256_hex(data: bytes) -> str:
    """The archive's key and the identity of bytes."""
    return hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=1024)
def workspace_id(slug: str) -> UUID:
    """workspace: its slug."""
    return derive("workspace", slug)


def message_id(workspace: UUID, channel: str, account: str, provider_id: str) -> UUID:
    """message: workspace, channel, account, provider id.

    The provider id is the channel's: mail: Message-ID and a hash of the decoded body, or sha256 of the bytes;
    Telegram: chat id, message id and edit date; form: the Idempotency-Key.
    """
    return derive("message", written(workspace), channel, account, provider_id)


def customer_id(workspace: UUID, proven: bool, kind: str, value: str, generation: int = 0) -> UUID:
    """customer: workspace, claimed or proven, kind and value of the founding handle, generation.

    A split or an erasure raises the generation, so that the founding handle makes a new person.
    """
    return derive(
        "customer", written(workspace), "proven" if proven else "claimed", kind, value, str(generation)
    )


def anonymous_customer_id(workspace: UUID, message: UUID) -> UUID:
    """customer without any handle: workspace and the message itself."""
    return derive("customer", written(workspace), "message", written(message))


def ticket_id(workspace: UUID, opening_message: UUID) -> UUID:
    """ticket: workspace and the message that opened it."""
    return derive("ticket", written(workspace), written(opening_message))


def answer_id(workspace: UUID, ticket: UUID, key: str) -> UUID:
    """what an agent answers: workspace, ticket and the Idempotency-Key it was sent with."""
    return derive("answer", written(workspace), written(ticket), key)


def note_id(workspace: UUID, ticket: UUID, key: str) -> UUID:
    """note: workspace, ticket and the key that its writer gave."""
    return derive("note", written(workspace), written(ticket), key)


def ticket_event_id(ticket: UUID, version: int) -> UUID:
    """ticket event: ticket and version."""
    return derive("ticket-event", written(ticket), str(version))


def notification_id(cause: UUID, group: str) -> UUID:
    """notification: the message or the ticket event that is its cause, and the group."""
    return derive("notification", written(cause), group)


def automatic_reply_id(message: UUID) -> UUID:
    """automatic reply: the message that it answers."""
    return derive("automatic-reply", written(message))


def webhook_call_id(cause: UUID, webhook: str) -> UUID:
    """webhook call: the message or the ticket event that is its cause, and the webhook."""
    return derive("webhook-call", written(cause), webhook)


def dead_letter_id(stage: str, topic: str, partition: int, offset: int) -> UUID:
    """dead letter of a stage: where the record lies."""
    return derive("dead-letter", stage, topic, str(partition), str(offset))


def parked_id(workspace: UUID, channel: str, account: str, raw: bytes) -> UUID:
    """dead letter of the door: workspace, channel, account and sha256 of the bytes."""
    return derive("parked", written(workspace), channel, account, sha256_hex(raw))


def identity_event_id(message: UUID, action: str, kind: str, value: str) -> UUID:
    """identity event: the message that caused it, what it did, to which handle."""
    return derive("identity-event", written(message), action, kind, value)


def customer_event_id(customer: UUID, version: int) -> UUID:
    """customer event: customer and version."""
    return derive("customer-event", written(customer), str(version))


def receipt(message: UUID) -> str:
    """The public reference of a message: its first 80 bits in base 32, grouped for reading aloud."""
    text = base64.b32encode(message.bytes[:10]).decode()
    return "-".join(text[at : at + 4] for at in range(0, 16, 4))


def receipt_range(text: str) -> tuple[UUID, UUID] | None:
    """The first and the last id that a receipt can stand for; None for what is no receipt."""
    plain = text.replace("-", "").replace(" ", "").upper()
    try:
        prefix = base64.b32decode(plain) if len(plain) == 16 else b""
    except ValueError:
        return None
    if len(prefix) != 10:
        return None
    return UUID(bytes=prefix + bytes(6)), UUID(bytes=prefix + b"\xff" * 6)
