"""Events of Messenger and of Instagram: one shape, two networks
(https://developers.facebook.com/docs/messenger-platform/reference/webhook-events)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from contracts.inbound import Attachment, Handle, HandleKind, InboundMessage, Kind, Recipient, Sender
from ingest.channel import Served
from ingest.events import Call, composed, fields, ident, ident_or_none, items, mapping, when, words
from ingest.meta import Part

# The thumbs of Messenger come as stickers, in three sizes.
_THUMBS = frozenset({369239263222822, 369239343222814, 369239383222810})
_TYPES = {"image": "image/*", "video": "video/*", "audio": "audio/*"}
_STATUSES = {"delivery": "delivered", "read": "read", "messaging_seen": "read", "seen": "read"}
_SYSTEM = frozenset(
    {"optin", "referral", "account_linking", "policy_enforcement", "policy-enforcement", "app_roles"}
    | {
        "pass_thread_control",
        "take_thread_control",
        "request_thread_control",
        "message_request",
        "messaging_feedback",
        "game_play",
        "payment",
    }
)


@dataclass(frozen=True, slots=True)
class Network:
    """How a person is known in it. `test_ids`: the sender and the receiver of the dashboard's test call."""

    channel: str
    handle: HandleKind
    test_ids: tuple[str, str] | None = None


class _Content(NamedTuple):
    text: str
    attachments: tuple[Attachment, ...]


def read(call: Call, network: Network, part: Part) -> None:
    """Takes the events of one item of `messaging`, `standby` or `changes`."""
    call.take(part.call, part.value, lambda event: _Event(call, network, part, event).messages())


class _Event:
    """One item on its way to messages."""

    def __init__(self, call: Call, network: Network, part: Part, event: dict[str, Any]) -> None:
        self._call, self._network, self._event = call, network, event
        self._account: Served = call.account(network.channel, part.entry)
        message = mapping(event.get("message"))
        self._echo = message.get("is_echo") is True
        self._sender = mapping(event.get("sender"))
        self._recipient = mapping(event.get("recipient"))
        person = self._recipient if self._echo else self._sender
        self._person = ident_or_none(person.get("id"))
        self._ours = ident_or_none((self._sender if self._echo else self._recipient).get("id"))
        self._time = event.get("timestamp")
        self._more = {"standby": True} if part.field == "standby" else {}

    def messages(self) -> Iterator[InboundMessage]:
        event = self._event
        if "message" in event:
            yield self._message(event["message"])
        elif "postback" in event:
            yield self._postback(event["postback"])
        elif "reaction" in event:
            yield self._reaction(event["reaction"])
        elif "message_edit" in event:
            yield self._edit(event["message_edit"])
        elif status := next((name for name in _STATUSES if name in event), None):
            yield from self._statuses(status, event[status])
        else:
            yield self._other()

    def _message(self, message: dict[str, Any]) -> InboundMessage:
        mid = ident(message["mid"])
        if message.get("is_deleted") is True:
            return self._made("delete", f"{mid}:deleted", target=mid)
        content = _content(message)
        kind: Kind = "echo" if self._echo else "message"
        if kind == "message" and (not any(content) or self._is_none_of_a_customer(message)):
            kind = "unsupported"
        answered = mapping(message.get("reply_to"))
        story = mapping(answered.get("story"))
        more = {
            "payload": mapping(message.get("quick_reply")).get("payload"),
            "app_id": message.get("app_id"),
            "story_id": story.get("id"),
            "story_url": story.get("url"),
            **_referral(message.get("referral")),
        }
        quoted = ident_or_none(answered.get("mid"))
        return self._made(
            kind,
            mid,
            more,
            text=content.text or None,
            attachments=content.attachments,
            reply_to=(quoted,) if quoted else (),
        )

    def _is_none_of_a_customer(self, message: dict[str, Any]) -> bool:
        """A call of the dashboard's, or what the account has sent to itself."""
        return message.get("is_self") is True or (self._person, self._ours) == self._network.test_ids

    def _postback(self, postback: dict[str, Any]) -> InboundMessage:
        """A pressed button: its title is what the person saw, and says."""
        payload = words(postback.get("payload"))
        mid = ident_or_none(postback.get("mid")) or composed(self._person, self._time, payload)
        text = words(postback.get("title")) or payload
        more = {"event": "postback", "payload": payload, **_referral(postback.get("referral"))}
        return self._made("message" if text else "unsupported", mid, more, text=text or None)

    def _reaction(self, reaction: dict[str, Any]) -> InboundMessage:
        target, action = ident_or_none(reaction.get("mid")), reaction.get("action")
        emoji = words(reaction.get("emoji")) or words(reaction.get("reaction"))
        identity = composed("reaction", target, self._person, self._time, action)
        text = None if action == "unreact" else emoji or None
        more = {"action": action, "reaction": reaction.get("reaction")}
        return self._made("reaction", identity, more, target=target, text=text)

    def _edit(self, edit: dict[str, Any]) -> InboundMessage:
        mid = ident(edit["mid"])
        identity = composed(mid, "edit", edit.get("num_edit", self._time))
        return self._made("edit", identity, target=mid, text=words(edit.get("text")) or None)

    def _statuses(self, name: str, status: dict[str, Any]) -> Iterator[InboundMessage]:
        """Of each message that is named; else of all up to the watermark. The same status at another time is another fact."""
        watermark = status.get("watermark")
        more = {"event": name, "status": _STATUSES[name], "watermark": watermark}
        named = [ident(mid) for mid in items(status.get("mids")) or [status.get("mid")] if mid]
        for mid in named:
            yield self._made("status", composed(mid, _STATUSES[name], self._time), more, target=mid)
        if not named:
            yield self._made("status", composed(_STATUSES[name], self._person, watermark or self._time), more)

    def _other(self) -> InboundMessage:
        known = ("sender", "recipient", "timestamp", "prior_message")
        name = next((key for key in self._event if key not in known), "nothing")
        kind: Kind = "system" if name in _SYSTEM else "unsupported"
        detail = mapping(self._event.get(name))
        more = {"event": name, "payload": detail.get("payload")} | _referral(detail)
        return self._made(kind, composed(name, self._person, self._time), more)

    def _made(
        self, kind: Kind, provider_id: str, more: dict[str, Any] | None = None, **content: Any
    ) -> InboundMessage:
        handle = self._network.handle
        named = words(self._sender.get("name")) or words(self._sender.get("username"))
        if self._echo:
            sender = Sender(raw=self._ours)
            recipients = (Recipient(value=self._person, kind=handle),) if self._person else ()
        else:
            own = (Handle(kind=handle, value=self._person, proof="channel"),) if self._person else ()
            sender = Sender(
                handles=own, display_name=named or None, raw=words(self._sender.get("username")) or None
            )
            recipients = ()
        return self._call.event(
            self._network.channel,
            self._account,
            provider_id,
            self._event,
            kind=kind,
            direction="out" if self._echo else "in",
            conversation_key=self._person,
            sender=sender,
            recipients=recipients,
            fields=fields(self._more | (more or {})),
            server_at=when(self._time),
            **content,
        )


def _content(message: dict[str, Any]) -> _Content:
    """Text, or what an attachment that is no file says; and the files."""
    said, files = [words(message.get("text"))], []
    for attachment in items(message.get("attachments")):
        kind, payload = words(attachment.get("type")), mapping(attachment.get("payload"))
        if text := _spoken(kind, attachment, payload):
            # A link in the text is sent a second time, with its title.
            if not (link := words(attachment.get("url"))) or link not in said[0]:
                said.append(text)
        elif url := words(payload.get("url")) or words(payload.get("story_media_url")):
            files.append(
                Attachment(
                    name=kind or "file",
                    type=_TYPES.get(kind, "application/octet-stream"),
                    provider_ref=url,
                )
            )
    if message.get("is_unsupported") is True:
        return _Content("", ())
    return _Content("\n".join(filter(None, said)), tuple(files))


def _spoken(kind: str, attachment: dict[str, Any], payload: dict[str, Any]) -> str:
    """What an attachment says by itself: thumbs, hearts, places, links, cards."""
    if payload.get("sticker_id") in _THUMBS:
        return "👍"
    if kind == "like_heart":
        return "❤️"
    if kind == "location":
        at = mapping(payload.get("coordinates"))
        place = f"{at['lat']},{at['long']}" if {"lat", "long"} <= at.keys() else ""
        return " ".join(filter(None, (words(attachment.get("title")), place)))
    if kind == "fallback":
        link = words(attachment.get("url")) or words(payload.get("url"))
        title = words(attachment.get("title")) or words(payload.get("title"))
        return " ".join(filter(None, (title, link)))
    if kind == "template":
        shown = mapping(payload.get("product")) or payload
        cards = [mapping(card) for card in items(shown.get("elements"))]
        titles = [payload.get("text"), payload.get("title"), *(card.get("title") for card in cards)]
        return "\n".join(filter(None, map(words, titles)))
    return ""


def _referral(value: Any) -> dict[str, Any]:
    """Which advertisement or link led the person here."""
    given = mapping(value)
    return {name: given.get(name) for name in ("ref", "source", "type", "ad_id") if given.get(name)}
