"""X (Twitter): direct messages and public mentions, by the Account Activity webhook
(https://docs.x.com/x-api/account-activity/introduction). Ids go beyond 2^53 and stay strings."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import unescape
from typing import Any

from contracts import ids
from contracts.channels import LIMITS, Limits
from contracts.errors import Poison, Refused
from contracts.inbound import Attachment, Handle, InboundMessage, Kind, Recipient, Sender
from ingest import signatures
from ingest.channel import Normalised, Raw, Reply, Request, Served
from ingest.events import (
    Call,
    canonical,
    composed,
    decoded,
    fields,
    ident,
    ident_or_none,
    items,
    mapping,
    when,
    words,
)
from ingest.text import one_line

_PREFIX = "sha256="
_TOKEN = 1000

# Of no use an instant later, and never stored.
_TYPING = "direct_message_indicate_typing_events"

# One event, not in a list: lost access, and the envelope of newer versions.
_ALONE = ("user_event", "data")


class X:
    """Signed with the app's consumer secret, which also answers the hourly challenge."""

    name = "x"
    limits: Limits = LIMITS["x"]
    media_hosts = (".twimg.com", "ton.twitter.com", "ton.x.com")

    def verify(self, request: Request, secrets: Sequence[str]) -> None:
        given = request.headers.get("x-twitter-webhooks-signature", "")
        signatures.body_hmac(given, request.body, secrets, "base64", _PREFIX)

    def handshake(self, query: Mapping[str, str], secrets: Sequence[str], token: str) -> Reply:
        """The challenge (CRC): signed with the newest secret."""
        asked, secret = query.get("crc_token", ""), signatures.configured(secrets)[0]
        if not asked or len(asked) > _TOKEN:
            raise Refused("no_challenge", "no crc_token")
        digest = hmac.digest(secret.encode(), asked.encode("utf-8", "replace"), "sha256")
        answer = _PREFIX + signatures.written(digest, "base64")
        return Reply(f'{{"response_token":"{answer}"}}'.encode(), "application/json")

    def normalise(self, raw: Raw) -> Normalised:
        call, body = Call(raw), decoded(raw.body)
        account = call.account(self.name, str(body.get("for_user_id", "")))
        lists = [name for name, value in body.items() if name.endswith("_events") and isinstance(value, list)]
        alone = [name for name in _ALONE if name in body]
        if not lists and not alone:
            raise Poison("unknown_shape", "no events")
        for name in lists:
            for event in body[name] if name != _TYPING else ():
                _take(call, account, body, name, event)
        for name in alone:
            _take(call, account, body, name, body[name])
        return call.result()


def _take(call: Call, account: Served, body: dict[str, Any], name: str, event: Any) -> None:
    reader = _READERS.get(name, _activity)
    alone = {"for_user_id": body.get("for_user_id"), name: [event] if name.endswith("_events") else event}
    call.take(
        alone | {"users": body.get("users")},
        event,
        lambda _: reader(_Event(call, account, body, name, event)),
    )


class _Event:
    """One event on its way to a message."""

    def __init__(self, call: Call, account: Served, body: dict[str, Any], name: str, event: Any) -> None:
        self.call, self.account, self.name, self.event = call, account, name, event
        self.ours = ident_or_none(body.get("for_user_id"))
        self.users = mapping(body.get("users"))

    def made(
        self, kind: Kind, provider_id: str, person: dict[str, Any] | None, **more: Any
    ) -> InboundMessage:
        """`person`: the other one of the conversation, who is the receiver of what we wrote ourselves."""
        user = ident_or_none((person or {}).get("id_str") or (person or {}).get("id"))
        name = one_line(words((person or {}).get("name")), 200) or None
        handle = ident_or_none((person or {}).get("screen_name"))
        outgoing = more.get("direction") == "out"
        known = (Handle(kind="x_user", value=user, proof="channel"),) if user else ()
        content: dict[str, Any] = {"conversation_key": user}
        if outgoing:
            content |= {"sender": Sender(raw=self.ours)}
            content |= {
                "recipients": (Recipient(value=user, kind="x_user", display_name=name),) if user else ()
            }
        else:
            content |= {"sender": Sender(handles=known, display_name=name, raw=handle)}
        whole = {self.name: self.event}
        return self.call.event("x", self.account, provider_id, whole, kind=kind, **(content | more))

    def user(self, number: Any) -> dict[str, Any]:
        """What the call says about a user, under the id that the event has."""
        named = ident(number)
        return mapping(self.users.get(named)) | {"id": named, "id_str": named}


def _direct_message(event: _Event) -> Iterator[InboundMessage]:
    given = event.event
    if given.get("type") != "message_create":
        yield from _activity(event)
        return
    message = given["message_create"]
    sender, data = ident(message["sender_id"]), mapping(message.get("message_data"))
    outgoing = sender == event.ours
    person = event.user(mapping(message.get("target")).get("recipient_id") if outgoing else sender)
    attachment = mapping(data.get("attachment"))
    media = mapping(attachment.get("media"))
    text = _text(data, [media])
    place = mapping(mapping(mapping(attachment.get("location")).get("shared_coordinate")).get("coordinates"))
    if at := items(place.get("coordinates")):
        text = f"{text} {at[1]},{at[0]}".strip()
    files = _files([media])
    payload = mapping(data.get("quick_reply_response")).get("metadata")
    kind: Kind = "echo" if outgoing else "message" if text or files else "unsupported"
    yield event.made(
        kind,
        ident(given["id"]),
        person,
        direction="out" if outgoing else "in",
        text=text or None,
        attachments=files,
        fields=fields({"payload": payload, "app_id": message.get("source_app_id")}),
        server_at=when(given.get("created_timestamp")),
    )


def _read_mark(event: _Event) -> Iterator[InboundMessage]:
    given = event.event
    last, reader = ident(given["last_read_event_id"]), event.user(given["sender_id"])
    if reader["id"] != event.ours:
        at = when(given.get("created_timestamp"))
        yield event.made(
            "status",
            composed(last, "read", given.get("created_timestamp")),
            reader,
            target=last,
            fields={"status": "read"},
            server_at=at,
        )


def _post(event: _Event) -> Iterator[InboundMessage]:
    """Who mentions us wants an answer; who repeats somebody's words does not. All mentions of a person are one
    conversation, apart from the private one."""
    given, author = event.event, mapping(event.event.get("user"))
    long, person = mapping(given.get("extended_tweet")), ident(author.get("id_str") or author["id"])
    ours = person == event.ours
    media = items(mapping(long.get("extended_entities") or given.get("extended_entities")).get("media"))
    said = {
        "text": long.get("full_text") or given.get("full_text") or given.get("text"),
        "entities": long.get("entities") or given.get("entities"),
    }
    text = _text(said, media)
    files, repeated = _files(media), "retweeted_status" in given
    answered = ident_or_none(given.get("in_reply_to_status_id_str") or given.get("in_reply_to_status_id"))
    kind: Kind = "echo" if ours else "unsupported" if repeated or not (text or files) else "message"
    other = given.get("in_reply_to_user_id_str") or given.get("in_reply_to_user_id")
    counterpart = ({"id": ident(other)} if other else None) if ours else author
    chat = ident_or_none(other) if ours else person
    yield event.made(
        kind,
        ident(given.get("id_str") or given["id"]),
        counterpart,
        direction="out" if ours else "in",
        conversation_key=f"public:{chat}" if chat else None,
        text=text or None,
        attachments=files,
        reply_to=(answered,) if answered else (),
        fields=fields({"event": "mention", "public": True}),
        server_at=when(given.get("timestamp_ms") or given.get("created_at")),
    )


def _deleted_post(event: _Event) -> Iterator[InboundMessage]:
    status = event.event["status"]
    target, person = ident(status["id"]), event.user(status["user_id"])
    at = when(event.event.get("timestamp_ms"))
    chat = f"public:{person['id']}"
    yield event.made(
        "delete", f"{target}:deleted", person, target=target, conversation_key=chat, server_at=at
    )


def _activity(event: _Event) -> Iterator[InboundMessage]:
    """Follows, likes, blocks, lost access, and what is not known: kept, never a ticket."""
    given = event.event
    source = mapping(given.get("source")) or mapping(given.get("user"))
    known = event.name in ("follow_events", "favorite_events", "block_events", "mute_events", "user_event")
    at = given.get("created_timestamp") or given.get("timestamp_ms")
    identity = given.get("id") or ids.sha256_hex(canonical(given))[:16]
    kinds = [str(given.get("type") or "")] + [key for key in given if event.name == "user_event"]
    kind: Kind = "system" if known else "unsupported"
    facts = fields({"event": event.name, "type": " ".join(filter(None, kinds))})
    yield event.made(kind, composed(event.name, identity), source or None, fields=facts, server_at=when(at))


def _text(data: dict[str, Any], media: Sequence[Any]) -> str:
    """As a person reads it: no HTML entities, whole links, and without the link to the message's own files."""
    text = words(data.get("text"))
    for one in media:
        if link := words(mapping(one).get("url")):
            text = text.replace(link, "")
    for entity in items(mapping(data.get("entities")).get("urls")):
        short, whole = words(mapping(entity).get("url")), words(mapping(entity).get("expanded_url"))
        if short and whole:
            text = text.replace(short, whole)
    return unescape(text).strip()


def _files(media: Sequence[Any]) -> tuple[Attachment, ...]:
    found = []
    for one in map(mapping, media):
        films = [mapping(variant) for variant in items(mapping(one.get("video_info")).get("variants"))]
        best = max(films, key=lambda film: film.get("bitrate") or 0, default={})
        if url := words(best.get("url")) or words(one.get("media_url_https")) or words(one.get("media_url")):
            kind = words(one.get("type")) or "photo"
            type_ = words(best.get("content_type")) or "image/*"
            found.append(Attachment(name=kind, type=type_, provider_ref=url))
    return tuple(found)


_READERS: dict[str, Callable[[_Event], Iterator[InboundMessage]]] = {
    "direct_message_events": _direct_message,
    "direct_message_mark_read_events": _read_mark,
    "tweet_create_events": _post,
    "tweet_delete_events": _deleted_post,
}

CHANNEL = X()
