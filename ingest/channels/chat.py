"""Live chat: what the gateway makes of a widget's frames. Everything that a visitor types is claimed; what the shop has signed
is proven (`ingest/chat_users.py`)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from contracts.channels import LIMITS, Limits
from contracts.errors import Poison
from contracts.inbound import Handle, InboundMessage, Sender
from ingest.channel import Normalised, Raw
from ingest.events import Call, fields
from ingest.text import clean, one_line, undecodable

Name = Annotated[str, msgspec.Meta(max_length=200)]
Long = Annotated[str, msgspec.Meta(max_length=2000)]
Ident = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Event = Literal["started", "picked_up", "ended", "missed"]


class SignedIn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Whom the shop has signed for. `email_verified`: the shop vouches for the address as well."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    email: Name | None = None
    email_verified: bool = False
    name: Name | None = None
    key: Name | None = None
    """Which key signed it, and `jti`, as the token names them: evidence."""
    jti: Name | None = None


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="event"):
    """One event of a chat. `visitor` and `epoch`: the browser (`ingest/chat_token.py`)."""

    visitor: Ident
    epoch: Annotated[int, msgspec.Meta(ge=1, lt=1 << 31)] = 1
    user: SignedIn | None = None

    @property
    def conversation(self) -> str:
        return f"{self.visitor}.{self.epoch}"


class Said(Envelope, frozen=True, kw_only=True, omit_defaults=True, tag="message"):
    """A message of the visitor. `after_hours`: nobody is there to take the chat."""

    cid: Ident
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=8192)]
    department: Name | None = None
    name: Name | None = None
    email: Name | None = None
    page: Long | None = None
    locale: Name | None = None
    after_hours: bool = False


class Session(Envelope, frozen=True, kw_only=True, omit_defaults=True, tag="session"):
    """What happened to a session. `opening`: the provider id of the message that began it."""

    opening: Name
    what: Event
    at: datetime
    agent: Name | None = None
    by: Name | None = None


class Rated(Envelope, frozen=True, kw_only=True, omit_defaults=True, tag="rating"):
    """What the visitor thought of a session. One a session."""

    opening: Name
    score: Literal["positive", "negative"]
    comment: Annotated[str, msgspec.Meta(max_length=5000)] | None = None
    ticket: Annotated[int, msgspec.Meta(ge=1, lt=1 << 53)] | None = None
    agent: Name | None = None


Known = Said | Session | Rated

_read = msgspec.json.Decoder(Known)


class Chat:
    """The door speaks with the widget and hands over envelopes."""

    name = "chat"
    limits: Limits = LIMITS["chat"]

    def normalise(self, raw: Raw) -> Normalised:
        try:
            event = _read.decode(raw.body)
        except msgspec.ValidationError as error:
            raise Poison("unknown_shape", str(error).partition(" - at ")[0][:200]) from None
        except (ValueError, RecursionError) as error:
            raise Poison("undecodable", undecodable(error)) from None
        call = Call(raw)
        match event:
            case Said():
                made = _said(call, event)
            case Session():
                made = _session(call, event)
            case Rated():
                made = _rated(call, event)
        return Normalised([made], call.result().blobs)


def _said(call: Call, event: Said) -> InboundMessage:
    text = clean(event.text).strip()
    if not text:
        raise Poison("unknown_shape", "no text")
    # Of the bytes only what the visitor wrote: sent again after closing time it is the same message.
    written = {"conversation": event.conversation, "cid": event.cid, "text": text}
    return _event(
        call,
        event,
        f"{event.conversation}:{event.cid}",
        written,
        text=text,
        sender=_sender(event, event.name, event.email),
        locale=one_line(event.locale or "", 35) or None,
        fields=_facts(
            event,
            department=event.department,
            page_url=event.page,
            after_hours="true" if event.after_hours else None,
        ),
    )


def _session(call: Call, event: Session) -> InboundMessage:
    if event.at.tzinfo is None:
        raise Poison("unknown_shape", "a time without its zone")
    return _event(
        call,
        event,
        f"{event.opening}:{event.what}",
        msgspec.to_builtins(event),
        kind="chat_session",
        target=event.opening,
        sender=_sender(event),
        server_at=event.at,
        fields=_facts(event, event=event.what, agent=event.agent, by=event.by),
    )


def _rated(call: Call, event: Rated) -> InboundMessage:
    return _event(
        call,
        event,
        f"{event.opening}:rating",
        {"opening": event.opening},
        kind="rating",
        target=event.opening,
        sender=_sender(event),
        text=clean(event.comment or "").strip() or None,
        fields=_facts(event, score=event.score, ticket=event.ticket, agent=event.agent),
    )


def _event(call: Call, event: Envelope, identity: str, written: Any, **content: Any) -> InboundMessage:
    account = call.account("chat", call.raw.account)
    return call.event("chat", account, identity, written, conversation_key=event.conversation, **content)


def _sender(event: Envelope, name: str | None = None, email: str | None = None) -> Sender:
    """The browser's epoch; who is signed in; and what was typed."""
    handles = [Handle(kind="visitor", value=event.conversation, proof="channel")]
    user = event.user
    if user is not None:
        key = f"jwt:kid={user.key}" if user.key else None
        login = one_line(user.id, 200)
        handles.append(Handle(kind="external_id", value=login, proof="authoritative", evidence=key))
        if user.email:
            proof: Literal["verified", "claimed"] = "verified" if user.email_verified else "claimed"
            vouched = key if user.email_verified else None
            handles.append(
                Handle(kind="email", value=one_line(user.email, 200), proof=proof, evidence=vouched)
            )
    if email and not (user and user.email):
        handles.append(Handle(kind="email", value=one_line(email, 200)))
    shown = one_line((user and user.name) or name or "", 200)
    return Sender(handles=tuple(handles), display_name=shown or None)


def _facts(of: Envelope, /, **facts: Any) -> dict[str, str]:
    user = of.user
    signed = {"user": user.id, "user_key": user.key, "user_jti": user.jti} if user else {}
    epoch = {"visitor": of.visitor, "visitor_epoch": of.epoch}
    return fields({name: value for name, value in {**facts, **epoch, **signed}.items() if value is not None})


CHANNEL = Chat()
