"""Telegram updates (https://core.telegram.org/bots/api#update), by webhook or long poll."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from contracts import ids
from contracts.channels import LIMITS, Limits
from contracts.errors import Poison, Refused
from contracts.inbound import Attachment, Direction, Handle, InboundMessage, Kind, Sender
from ingest.channel import Normalised, Raw, Request, raw_of
from ingest.text import clean, one_line

_SECRET_HEADER = "x-telegram-bot-api-secret-token"

UPDATES = (
    *("message", "edited_message", "callback_query", "message_reaction", "my_chat_member", "channel_post"),
    *("business_message", "edited_business_message", "deleted_business_messages"),
)
"""What a bot asks for: once a list is given, it must name every kind (`message_reaction` does not come by default)."""

_FILES = ("animation", "document", "audio", "voice", "video", "video_note", "sticker")
_TYPES = {"voice": "audio/ogg", "video_note": "video/mp4", "sticker": "image/webp", "photo": "image/jpeg"}


_START = re.compile(r"^/start(?: (\S{1,64}))?\s*$")


class Telegram:
    """Secret in a header; people by their user id, chats by their chat id."""

    name = "telegram"
    limits: Limits = LIMITS["telegram"]

    def verify(self, request: Request, secrets: Sequence[str]) -> None:
        given = request.headers.get(_SECRET_HEADER, "").encode("latin-1", "replace")
        # Every secret is compared, so that the time does not tell which one was close.
        matches = [hmac.compare_digest(given, secret.encode()) for secret in secrets if secret]
        if not any(matches):
            raise Refused("bad_signature", "wrong or missing secret token", status=403)

    def normalise(self, raw: Raw) -> Normalised:
        update = _decode(raw.body)
        kept, blobs = raw_of(raw.body)
        try:
            messages = _Update(raw, update).messages(kept)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
            raise Poison("unknown_shape", type(error).__name__) from None
        return Normalised(messages, blobs)


def _decode(body: bytes) -> dict[str, Any]:
    try:
        update = msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise Poison("undecodable", type(error).__name__) from None
    if not isinstance(update, dict) or not isinstance(update.get("update_id"), int):
        raise Poison("unknown_shape", "no update_id")
    return update


class _Update:
    """One update on its way to messages."""

    def __init__(self, raw: Raw, update: dict[str, Any]) -> None:
        self._raw = raw
        self._id = update["update_id"]
        self._type = next((key for key in update if key != "update_id"), "")
        self._body: dict[str, Any] = update.get(self._type) or {}

    def messages(self, kept: Any) -> list[InboundMessage]:
        """One, but for deletions: one for each message that is gone."""
        if self._type != "deleted_business_messages":
            return [self._message(kept)]
        chat = self._body["chat"]["id"]
        return [
            self._event(kept, "delete", provider_id=f"update:{self._id}:{number}", target=f"{chat}:{number}")
            for number in self._body["message_ids"]
        ]

    def _message(self, kept: Any) -> InboundMessage:
        body = self._body
        if self._type in ("message", "edited_message", "business_message", "edited_business_message"):
            return self._content(kept, body, edited=self._type.startswith("edited"))
        if self._type == "callback_query":
            return self._callback(kept)
        if self._type == "message_reaction":
            emoji = "".join(r.get("emoji", "") for r in body.get("new_reaction", ()))
            target = f"{body['chat']['id']}:{body['message_id']}"
            return self._event(kept, "reaction", text=emoji, target=target, person=body.get("user"))
        if self._type == "my_chat_member":
            status = {"status": str(body["new_chat_member"]["status"])}
            return self._event(kept, "system", person=body.get("from"), fields=status)
        return self._event(kept, "unsupported", person=body.get("from"))

    def _content(self, kept: Any, body: dict[str, Any], edited: bool) -> InboundMessage:
        chat, person = body["chat"], body.get("from") or {}
        number = f"{chat['id']}:{body['message_id']}"
        outgoing = "business_connection_id" in body and person.get("id") != chat["id"]
        kind: Kind = "edit" if edited else "echo" if outgoing else "message"
        if (
            chat.get("type") in ("group", "supergroup", "channel")
            and self._raw.options.get("groups") != "yes"
        ):
            kind = "unsupported"
        text, attachments = _text(body), _attachments(body)
        if kind == "message" and not text and not attachments:
            kind = "unsupported"
        if kind == "message" and _START.match(text):
            kind = "system"  # a deep link or the first touch, not a question
        return self._event(
            kept,
            kind,
            provider_id=f"{number}:{body.get('edit_date', '')}" if edited else number,
            text=text,
            target=number if edited else None,
            person=person,
            attachments=attachments,
            fields=_fields(body),
            handles=_contact(body, person),
            direction="out" if outgoing else "in",
            marks=("forwarded",) if "forward_origin" in body or "forward_date" in body else (),
        )

    def _callback(self, kept: Any) -> InboundMessage:
        """A pressed button: the text is its data, and the person is who pressed, not who wrote the message."""
        body = self._body
        fields = {"callback_query_id": str(body["id"])}
        provider_id, text = f"callback:{body['id']}", body.get("data", "")
        return self._event(
            kept, "message", provider_id=provider_id, text=text, person=body["from"], fields=fields
        )

    def _event(
        self,
        kept: Any,
        kind: Kind,
        *,
        provider_id: str | None = None,
        text: str = "",
        target: str | None = None,
        person: dict[str, Any] | None = None,
        attachments: tuple[Attachment, ...] = (),
        fields: dict[str, str] | None = None,
        handles: tuple[Handle, ...] = (),
        direction: Direction = "in",
        marks: tuple[str, ...] = (),
    ) -> InboundMessage:
        raw, body = self._raw, self._body
        provider_id = provider_id or f"update:{self._id}"
        chat = body.get("chat") or (body.get("message") or {}).get("chat") or {}
        own = (
            (Handle(kind="telegram_user", value=str(person["id"]), proof="channel"),)
            if person and direction == "in"
            else ()
        )
        return InboundMessage(
            message_id=ids.message_id(raw.workspace, "telegram", raw.account, provider_id),
            workspace=raw.workspace,
            channel="telegram",
            account=raw.account,
            store=raw.store,
            provider_id=provider_id,
            kind=kind,
            direction=direction,
            target=target,
            conversation_key=str(chat["id"]) if "id" in chat else None,
            sender=Sender(
                handles=(*own, *handles), display_name=_name(person), raw=(person or {}).get("username")
            ),
            text=clean(text) or None,
            attachments=attachments,
            fields={"update_id": str(self._id), "update": self._type, **(fields or {})},
            locale=(person or {}).get("language_code"),
            server_at=_time(body.get("edit_date") or body.get("date")),
            received_at=raw.received_at,
            raw=kept,
            marks=marks,
            trace=raw.trace,
        )


def _time(seconds: Any) -> datetime | None:
    """Unix time; null for what is none, which is no reason to lose a message."""
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _text(body: dict[str, Any]) -> str:
    """Text, caption, or what a kind without text says."""
    if text := body.get("text") or body.get("caption"):
        return str(text)
    if place := body.get("venue") or body.get("location"):
        at = place.get("location", place)
        named = " ".join(str(place[k]) for k in ("title", "address") if place.get(k))
        return f"{named} {at['latitude']},{at['longitude']}".strip()
    if poll := body.get("poll"):
        return str(poll.get("question", ""))
    if dice := body.get("dice"):
        return f"{dice.get('emoji', '')} {dice.get('value', '')}".strip()
    if contact := body.get("contact"):
        return f"{_name(contact) or ''} {contact.get('phone_number', '')}".strip()
    return ""


def _attachments(body: dict[str, Any]) -> tuple[Attachment, ...]:
    found = []
    if sizes := body.get("photo"):
        found.append(_attachment("photo", sizes[-1]))  # the last is the largest
    # An animation also carries a document: the same file.
    for kind in _FILES:
        if isinstance(body.get(kind), dict) and not (kind == "document" and "animation" in body):
            found.append(_attachment(kind, body[kind]))
    return tuple(found)


def _attachment(kind: str, file: dict[str, Any]) -> Attachment:
    return Attachment(
        name=one_line(str(file.get("file_name") or kind), 200),
        type=str(file.get("mime_type") or _TYPES.get(kind, "application/octet-stream")),
        size=file.get("file_size"),
        provider_ref=str(file["file_id"]),
    )


def _fields(body: dict[str, Any]) -> dict[str, str]:
    found = {"message_number": str(body["message_id"]), "chat_type": str(body["chat"].get("type", ""))}
    if album := body.get("media_group_id"):
        found["album"] = str(album)
    if answered := body.get("reply_to_message"):
        found["reply_to"] = f"{body['chat']['id']}:{answered['message_id']}"
    if (link := _START.match(str(body.get("text", "")))) and link[1]:
        found["start"] = one_line(link[1], 64)
    return found


def _contact(body: dict[str, Any], person: dict[str, Any]) -> tuple[Handle, ...]:
    """A contact card proves a number only when it is the sender's own."""
    contact = body.get("contact")
    if not contact or not contact.get("phone_number"):
        return ()
    number = "+" + str(contact["phone_number"]).removeprefix("+")
    own = contact.get("user_id") is not None and contact.get("user_id") == person.get("id")
    return (Handle(kind="phone", value=number, proof="verified" if own else "mentioned"),)


def _name(person: dict[str, Any] | None) -> str | None:
    parts = ((person or {}).get(part) for part in ("first_name", "last_name"))
    return one_line(" ".join(str(part) for part in parts if part), 200) or None


CHANNEL = Telegram()
