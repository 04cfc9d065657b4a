"""Telegram updates (https://core.telegram.org/bots/api#update), by webhook or long poll."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from contracts import ids
from contracts.channels import LIMITS, Limits
from contracts.errors import Poison
from contracts.inbound import Handle, InboundMessage, Kind, Recipient, Sender
from contracts.inbound import Raw as RawBytes
from ingest import provider_files, signatures, telegram_content
from ingest.channel import Access, Ask, Normalised, Raw, Request, raw_of
from ingest.events import SHAPE, canonical, decoded, fields, ident, items, mapping, when, words
from ingest.text import clean, one_line

_SECRET_HEADER = "x-telegram-bot-api-secret-token"

UPDATES = (
    *("message", "edited_message", "callback_query", "message_reaction", "my_chat_member", "channel_post"),
    *("business_connection", "business_message", "edited_business_message", "deleted_business_messages"),
)
"""What a bot asks for: once a list is given, it must name every kind (`message_reaction` does not come by default)."""

_CONTENT = frozenset({"message", "edited_message", "business_message", "edited_business_message"})
_GROUPS = frozenset({"group", "supergroup", "channel"})
_START = re.compile(r"^/start(?:@\w+)?(?: (\S{1,64}))?\s*$")


class Telegram:
    """Secret in a header; people by their user id, chats by their chat id."""

    name = "telegram"
    limits: Limits = LIMITS["telegram"]
    media_hosts = ("api.telegram.org",)

    def verify(self, request: Request, secrets: Sequence[str]) -> None:
        signatures.token(request.headers.get(_SECRET_HEADER, ""), secrets)

    def normalise(self, raw: Raw) -> Normalised:
        update = decoded(raw.body)
        if not isinstance(update.get("update_id"), int):
            raise Poison("unknown_shape", "no update_id")
        # In one spelling: an update that was polled and is posted later is the same bytes.
        kept, blobs = raw_of(canonical(update))
        try:
            return Normalised(_Update(raw, update, kept).messages(), blobs)
        except SHAPE as error:
            raise Poison("unknown_shape", type(error).__name__) from None

    def ask(self, ref: str, access: Access) -> Ask:
        """By its id, for an address that is good for an hour (https://core.telegram.org/bots/api#getfile)."""
        token = provider_files.token(access)
        return Ask(f"{access.api}/bot{token}/getFile?file_id={quote(ref, safe='')}", leads=True)

    def located(self, answer: bytes, access: Access) -> Ask:
        path = words(mapping(decoded(answer).get("result")).get("file_path"))
        if not path:
            raise Poison("unknown_shape", "no file_path")
        return Ask(f"{access.api}/file/bot{provider_files.token(access)}/{quote(path)}")


class _Update:
    """One update on its way to messages."""

    def __init__(self, raw: Raw, update: dict[str, Any], kept: RawBytes) -> None:
        self._raw, self._kept = raw, kept
        self._id = update["update_id"]
        self._type = next((key for key in update if key != "update_id"), "")
        self._body: dict[str, Any] = update.get(self._type) or {}

    def messages(self) -> list[InboundMessage]:
        """One, but for deletions: one for each message that is gone."""
        if self._type != "deleted_business_messages":
            return [self._message()]
        return [
            self._event("delete", f"update:{self._id}:{ident(gone)}", target=_number(self._body, gone))
            for gone in self._body["message_ids"]
        ]

    def _message(self) -> InboundMessage:
        body = self._body
        if self._type in _CONTENT:
            return self._content(body, edited=self._type.startswith("edited"))
        if self._type == "callback_query":
            return self._callback(body)
        if self._type == "message_reaction":
            target = _number(body, body["message_id"])
            return self._event(
                "reaction", target=target, person=body.get("user"), text=_feelings(body) or None
            )
        if self._type == "my_chat_member":
            return self._event(
                "system", person=body.get("from"), more={"status": body["new_chat_member"]["status"]}
            )
        if self._type == "business_connection":
            connection = {"connection": body["id"], "enabled": body.get("is_enabled")}
            return self._event("system", person=body.get("user"), more=connection)
        return self._event("unsupported", person=body.get("from") or body.get("user"))

    def _content(self, body: dict[str, Any], edited: bool) -> InboundMessage:
        chat, person = body["chat"], body.get("from") or {}
        number = _number(body, body["message_id"])
        outgoing = "business_connection_id" in body and person.get("id") != chat["id"]
        text, attachments = telegram_content.text(body), telegram_content.attachments(body)
        kind: Kind = "edit" if edited else "echo" if outgoing else "message"
        if self._is_nobodys(body) or (kind == "message" and not text and not attachments):
            kind = "unsupported"
        elif kind == "message" and _START.match(text):
            kind = "system"  # a deep link or the first touch, not a question
        # A group's administrator without a name, or a channel: whoever it is, it is not the user that stands in `from`.
        author = None if "sender_chat" in body else person
        return self._event(
            kind,
            f"{number}:{ident(body.get('edit_date') or self._id)}" if edited else number,
            author,
            (Recipient(value=ident(chat["id"]), kind="telegram_user"),) if outgoing else (),
            handles=telegram_content.contact(body, person),
            more=_fields(body),
            text=clean(text) or None,
            quoted_text=words((body.get("quote") or {}).get("text")) or None,
            attachments=attachments,
            target=number if edited else None,
            reply_to=_answered(body),
            direction="out" if outgoing else "in",
            marks=("forwarded",) if "forward_origin" in body or "forward_date" in body else (),
        )

    def _is_nobodys(self, body: dict[str, Any]) -> bool:
        """Groups are left alone unless the account wants them; what bots and linked channels post there always is."""
        if body["chat"].get("type") not in _GROUPS:
            return False
        posted = body.get("is_automatic_forward") is True or (
            (body.get("from") or {}).get("is_bot") is True and "sender_chat" not in body
        )
        return posted or not self._wants_groups

    @property
    def _wants_groups(self) -> bool:
        return self._raw.options.get("groups") == "yes"

    def _callback(self, body: dict[str, Any]) -> InboundMessage:
        """A pressed button: the text is its data, and the person is who pressed, not who wrote the message."""
        identity = ident(body["id"])
        text = clean(words(body.get("data"))) or None
        in_group = mapping(mapping(body.get("message")).get("chat")).get("type") in _GROUPS
        kind: Kind = "message" if text and (self._wants_groups or not in_group) else "unsupported"
        more = {"callback_query_id": identity}
        return self._event(kind, f"callback:{identity}", body["from"], text=text, more=more)

    def _event(
        self,
        kind: Kind,
        provider_id: str = "",
        person: dict[str, Any] | None = None,
        recipients: tuple[Recipient, ...] = (),
        *,
        handles: tuple[Handle, ...] = (),
        more: dict[str, Any] | None = None,
        **content: Any,
    ) -> InboundMessage:
        raw, body = self._raw, self._body
        provider_id = provider_id or f"update:{self._id}"
        chat, person = body.get("chat") or (body.get("message") or {}).get("chat") or {}, person or {}
        own = (
            (Handle(kind="telegram_user", value=ident(person["id"]), proof="channel"),)
            if person and not recipients
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
            conversation_key=ident(chat["id"]) if "id" in chat else None,
            sender=Sender(
                handles=(*own, *handles),
                display_name=telegram_content.name(person),
                raw=words(person.get("username")) or None,
            ),
            recipients=recipients,
            fields=fields({"update_id": self._id, "update": self._type, **(more or {})}),
            locale=one_line(words(person.get("language_code")), 35) or None,
            server_at=when(body.get("edit_date") or body.get("date")),
            received_at=raw.received_at,
            raw=self._kept,
            trace=raw.trace,
            **content,
        )


def _feelings(body: dict[str, Any]) -> str:
    """All emoji that now stand below the message; of an own picture its id. None: taken back."""
    found = (
        r.get("emoji") or r.get("custom_emoji_id") or r.get("type") for r in items(body.get("new_reaction"))
    )
    return " ".join(filter(None, map(words, found)))


def _answered(body: dict[str, Any]) -> tuple[str, ...]:
    answered = body.get("reply_to_message")
    return (_number(body, answered["message_id"]),) if answered else ()


def _number(body: dict[str, Any], message: Any) -> str:
    """A message is numbered within its chat. A business account numbers its own: those of its chat with somebody are not
    those of the bot's chat with the same person."""
    connection = body.get("business_connection_id")
    within = (ident(connection),) if connection else ()
    return ":".join((*within, ident(body["chat"]["id"]), ident(message)))


def _fields(body: dict[str, Any]) -> dict[str, Any]:
    link = _START.match(str(body.get("text", "")))
    return {
        "message_number": ident(body["message_id"]),
        "chat_type": body["chat"].get("type"),
        "album": body.get("media_group_id"),
        "start": link[1] if link else None,
        "connection": body.get("business_connection_id"),
        "group": body["chat"].get("title"),
    }


CHANNEL = Telegram()
