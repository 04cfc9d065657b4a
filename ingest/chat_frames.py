"""What a chat widget may say: one JSON object a frame, `t` names its kind. Unknown members are ignored."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import msgspec

from contracts.errors import Refused
from ingest.text import clean, is_email

MOST_TEXT_BYTES = 8192

_MEMBER = re.compile(r"`\$\.([^`]*)`$")
_MISSING = re.compile(r"required field `([^`]+)`")

Short = Annotated[str, msgspec.Meta(max_length=200)]
Long = Annotated[str, msgspec.Meta(max_length=2000)]
Token = Annotated[str, msgspec.Meta(max_length=2000)]
ClientId = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
Seq = Annotated[int, msgspec.Meta(ge=0, le=(1 << 53) - 1)]


class Frame(msgspec.Struct, frozen=True, kw_only=True, tag_field="t"):
    """Any of them."""


class User(msgspec.Struct, frozen=True, kw_only=True):
    """Who the shop says is signed in: an id with `hash` and `expires`, or a `jwt` alone (`ingest/chat_users.py`)."""

    id: Short | None = None
    email: Short | None = None
    name: Short | None = None
    hash: Short | None = None
    expires: int | None = None
    jwt: Annotated[str, msgspec.Meta(max_length=4000)] | None = None


class Hello(Frame, frozen=True, kw_only=True, tag="hello"):
    """The first frame. `token` and `after_seq`: of an earlier visit; what came after that number is sent again."""

    v: Literal[1] = 1
    token: Token | None = None
    after_seq: Seq = 0
    user: User | None = None
    page: Long | None = None
    locale: Short | None = None


class Resume(Frame, frozen=True, kw_only=True, tag="resume"):
    """The first frame of a widget that was here before."""

    token: Token
    after_seq: Seq
    user: User | None = None
    page: Long | None = None
    locale: Short | None = None


class Message(Frame, frozen=True, kw_only=True, tag="msg"):
    """What the visitor writes. `cid` is the widget's own id of it: sent again, it is the same message."""

    cid: ClientId
    text: str
    department: Short | None = None
    name: Short | None = None
    email: Short | None = None


class Read(Frame, frozen=True, kw_only=True, tag="read"):
    seq: Seq


class Typing(Frame, frozen=True, kw_only=True, tag="typing"):
    pass


class Ping(Frame, frozen=True, kw_only=True, tag="ping"):
    pass


class Pong(Frame, frozen=True, kw_only=True, tag="pong"):
    pass


class End(Frame, frozen=True, kw_only=True, tag="end"):
    """The visitor closes the chat."""


class Rate(Frame, frozen=True, kw_only=True, tag="rate"):
    """What the visitor thinks of the chat that ended last."""

    score: Literal["positive", "negative"]
    comment: Annotated[str, msgspec.Meta(max_length=5000)] | None = None


Known = Hello | Resume | Message | Read | Typing | Ping | Pong | End | Rate

_read = msgspec.json.Decoder(Known)


def read(data: str) -> Known:
    """The frame. Raises `Refused` naming the field for what is none."""
    try:
        frame = _read.decode(data)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from None
    except (ValueError, RecursionError):
        raise Refused("undecodable", "not a JSON object", field="frame") from None
    return _checked(frame) if isinstance(frame, Message) else frame


def client_id(data: str) -> str | None:
    """The `cid` of a frame that was refused, so that the widget knows which of its messages it was."""
    try:
        given: Any = msgspec.json.decode(data)
    except (ValueError, RecursionError):
        return None
    found = given.get("cid") if isinstance(given, dict) else None
    return found[:64] if isinstance(found, str) else None


def _checked(frame: Message) -> Message:
    text = clean(frame.text).replace("\r\n", "\n").strip()
    if not text:
        raise Refused("missing", "write a message", field="text")
    if len(text.encode()) > MOST_TEXT_BYTES:
        raise Refused("too_long", f"at most {MOST_TEXT_BYTES} bytes", field="text")
    if frame.email and not is_email(frame.email):
        raise Refused("invalid", "this is not an e-mail address", field="email")
    return msgspec.structs.replace(frame, text=text)


def _invalid(told: str) -> Refused:
    if missing := _MISSING.search(told):
        inner = _MEMBER.search(told)
        name = f"{inner[1]}.{missing[1]}" if inner else missing[1]
        return Refused("missing", "is required", field=name)
    member = _MEMBER.search(told)
    field = member[1] if member else "frame"
    if field == "t":
        return Refused("unknown_type", "no frame of this type", field="t")
    if "length <=" in told:
        return Refused("too_long", told.partition(" - at ")[0], field=field)
    return Refused("invalid", told.partition(" - at ")[0], field=field)
