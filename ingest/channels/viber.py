"""Viber bots (https://developers.viber.com/docs/api/rest-bot-api/#callbacks): one event a call. People by an id that is the
bot's own, and another one after they change their number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from contracts.channels import LIMITS, Limits
from contracts.inbound import Attachment, Handle, InboundMessage, Kind, Sender
from ingest import filenames, signatures
from ingest.channel import Normalised, Raw, Request
from ingest.events import Call, composed, decoded, fields, ident, ident_or_none, mapping, when, words
from ingest.text import one_line

_STATUSES = frozenset({"delivered", "seen", "failed"})
_SYSTEM = frozenset({"subscribed", "unsubscribed", "conversation_started", "client_status"})
_TYPES = {"picture": "image/*", "video": "video/*", "file": "application/octet-stream"}


class Viber:
    """Numbers of 64 bits are read as integers, and become strings."""

    name = "viber"
    limits: Limits = LIMITS["viber"]
    media_hosts = (".viber.com",)

    def verify(self, request: Request, secrets: Sequence[str]) -> None:
        """In a header; some versions send it in the address."""
        given = request.headers.get("x-viber-content-signature") or request.query.get("sig", "")
        signatures.body_hmac(given, request.body, secrets, "hex")

    def normalise(self, raw: Raw) -> Normalised:
        """Nothing for the call that only asks whether we are there."""
        call = Call(raw)
        given = decoded(raw.body)
        if given.get("event") != "webhook":
            call.whole(given, lambda event: _event(call, event))
        return call.result()


def _event(call: Call, event: dict[str, Any]) -> Iterator[InboundMessage]:
    name = ident(event["event"])
    person = mapping(event.get("sender")) or mapping(event.get("user")) or {"id": event.get("user_id")}
    user, token = ident_or_none(person.get("id")), ident_or_none(event.get("message_token"))
    message = mapping(event.get("message"))
    text, attachments, handles = _text(message), _attachments(message), _cards(message)
    facts: dict[str, Any] = {"event": name, "country": person.get("country")}
    if name == "message":
        kind: Kind = "message" if text or attachments else "unsupported"
        facts |= {"type": message.get("type"), "tracking_data": message.get("tracking_data")}
        facts |= {"sticker": message.get("sticker_id")}
    elif name in _STATUSES:
        kind = "status"
        facts |= {"status": name, "error": event.get("desc")}
    else:
        kind = "system" if name in _SYSTEM else "unsupported"
        facts |= {"context": event.get("context"), "subscribed": event.get("subscribed")}
    if name == "message" and token is None:
        raise ValueError("a message without a token")
    if token and name not in _STATUSES:
        identity = composed(token, name)
    else:
        identity = composed(token or user, name, event.get("timestamp"))
    own = (Handle(kind="viber_user", value=user, proof="channel"),) if user else ()
    yield call.event(
        "viber",
        call.account("viber", call.raw.account),
        token if name == "message" and token else identity,
        event,
        kind=kind,
        target=token if kind == "status" else None,
        conversation_key=user,
        sender=Sender(
            handles=(*own, *handles), display_name=one_line(words(person.get("name")), 200) or None
        ),
        text=text or None,
        attachments=attachments,
        fields=fields(facts),
        locale=one_line(words(person.get("language")), 35) or None,
        server_at=when(event.get("timestamp")),
    )


def _text(message: dict[str, Any]) -> str:
    """Text, a link, or what a kind without text says."""
    said = [words(message.get("text"))]
    kind = message.get("type")
    if kind == "url":
        said.append(words(message.get("media")))
    elif kind == "location":
        place = mapping(message.get("location"))
        said += [words(place.get("address")), f"{place['lat']},{place['lon']}"]
    elif kind == "contact":
        card = mapping(message.get("contact"))
        said += [words(card.get("name")), words(card.get("phone_number"))]
    elif kind == "sticker" and not message.get("media"):
        said.append(f"[sticker {message['sticker_id']}]")
    # A link often stands in the text as well.
    return " ".join(dict.fromkeys(filter(None, said)))


def _attachments(message: dict[str, Any]) -> tuple[Attachment, ...]:
    kind, url = words(message.get("type")), words(message.get("media"))
    if not url or kind == "url":
        return ()
    name = filenames.safe(words(message.get("file_name"))) or kind or "file"
    size = message.get("size")
    return (
        Attachment(
            name=name,
            type=_TYPES.get(kind, "image/*" if kind == "sticker" else "application/octet-stream"),
            size=size if type(size) is int and size >= 0 else None,
            provider_ref=url,
        ),
    )


def _cards(message: dict[str, Any]) -> tuple[Handle, ...]:
    """Of a contact card nobody says whose it is."""
    number = words(mapping(message.get("contact")).get("phone_number"))
    return (Handle(kind="phone", value=f"+{number.lstrip('+')}", proof="mentioned"),) if number else ()


CHANNEL = Viber()
