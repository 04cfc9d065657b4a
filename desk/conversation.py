"""The conversation of a ticket as people read it: events about a message are folded into that message. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from contracts.inbound import Attachment, Direction, InboundMessage, Kind
from sinks.archive import REF
from sinks.postgres.answer_store import Answer
from sinks.postgres.ticket_reads import FileState, StoredMessage

_FOLDED: frozenset[Kind] = frozenset({"edit", "delete", "reaction", "status", "read_receipt", "bounce"})


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened to a message: a reaction, a delivery status, a read receipt, a bounce."""

    kind: Kind
    at: datetime
    sender: str | None = None
    text: str | None = None
    fields: dict[str, str] = {}


class File(Attachment, frozen=True, kw_only=True):
    """An attachment. Once a file that stays at its provider is fetched, `type`, `size`, `sha256` and `ref` are those of the
    archived bytes; before, and if it never is, `state` and `reason` say why."""

    state: FileState | None = None
    reason: str | None = None


class MessageView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message. After an edit `text` is the newest one; after a deletion text and attachments are withheld."""

    id: UUID
    kind: Kind
    direction: Direction
    channel: str
    account: str
    at: datetime
    """The provider's time where it gives one, else ours."""
    received_at: datetime
    sender: str | None = None
    handles: tuple[str, ...] = ()
    subject: str | None = None
    text: str | None = None
    text_ref: str | None = None
    quoted_text: str | None = None
    attachments: tuple[File, ...] = ()
    fields: dict[str, str] = {}
    out_of_order: bool = False
    duplicate_of: UUID | None = None
    """The message that said the same shortly before: this one was sent a second time."""
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    marks: tuple[Mark, ...] = ()


def fold(rows: Iterable[StoredMessage]) -> list[MessageView]:
    """Messages in the order they happened. An event whose target is not among them stands by itself."""
    rows = sorted(
        rows, key=lambda row: (row.happened_at, row.message.received_at, str(row.message.message_id))
    )
    views: dict[tuple[str, str, str], MessageView] = {}
    events: list[StoredMessage] = []
    for row in rows:
        if row.message.kind in _FOLDED and row.message.target is not None:
            events.append(row)
        else:
            views[_key(row.message, row.message.provider_id)] = _view(row)
    for event in events:
        target = _key(event.message, event.message.target or "")
        if target in views:
            views[target] = _apply(views[target], event)
        else:
            views[_key(event.message, event.message.provider_id)] = _view(event)
    return sorted(views.values(), key=_order)


def with_answers(views: list[MessageView], answers: Iterable[Answer]) -> list[MessageView]:
    """The conversation with what agents have answered, in the order it happened."""
    own = [
        MessageView(
            id=answer.id,
            kind="message",
            direction="out",
            channel=answer.channel,
            account=answer.account,
            at=answer.at,
            received_at=answer.at,
            sender=answer.name,
            text=answer.text,
        )
        for answer in answers
    ]
    return sorted([*views, *own], key=_order)


def _order(view: MessageView) -> tuple[datetime, datetime, str]:
    return view.at, view.received_at, str(view.id)


def _key(message: InboundMessage, provider_id: str) -> tuple[str, str, str]:
    return message.channel, message.account, provider_id


def _apply(view: MessageView, event: StoredMessage) -> MessageView:
    message, at = event.message, event.happened_at
    if message.kind == "delete":
        return msgspec.structs.replace(
            view, deleted_at=at, text=None, text_ref=None, quoted_text=None, attachments=()
        )
    if message.kind == "edit":
        if view.deleted_at is not None:
            return view
        newest = {"text": message.text, "text_ref": message.text_ref, "attachments": _files(event)}
        return msgspec.structs.replace(view, edited_at=at, **newest)
    mark = Mark(kind=message.kind, at=at, sender=_name(message), text=message.text, fields=message.fields)
    return msgspec.structs.replace(view, marks=(*view.marks, mark))


def _view(row: StoredMessage) -> MessageView:
    message = row.message
    return MessageView(
        id=message.message_id,
        kind=message.kind,
        direction=message.direction,
        channel=message.channel,
        account=message.account,
        at=row.happened_at,
        received_at=message.received_at,
        sender=_name(message),
        handles=tuple(handle.value for handle in message.sender.handles),
        subject=message.subject,
        text=message.text,
        text_ref=message.text_ref,
        quoted_text=message.quoted_text,
        attachments=_files(row),
        fields=message.fields,
        out_of_order=row.out_of_order,
        duplicate_of=row.duplicate_of,
    )


def _files(row: StoredMessage) -> tuple[File, ...]:
    known = {file.place: file for file in row.files}
    found = []
    for place, attachment in enumerate(row.message.attachments):
        given = msgspec.structs.asdict(attachment)
        if file := known.get(place):
            given |= {"state": file.state, "reason": file.reason}
            if file.sha256:
                given |= {
                    "type": file.type,
                    "size": file.size,
                    "sha256": file.sha256,
                    "ref": REF + file.sha256,
                }
        found.append(File(**given))
    return tuple(found)


def _name(message: InboundMessage) -> str | None:
    """What the sender is called: a name, else the first handle, else the source's own words."""
    sender = message.sender
    first = sender.handles[0].value if sender.handles else None
    return sender.display_name or first or sender.raw
