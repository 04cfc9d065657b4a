"""The contract of a channel, and discovery: a new channel is one file in `ingest/channels/` with a `CHANNEL`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple, Protocol, runtime_checkable
from uuid import UUID

import structlog

from contracts.channels import MAX_INLINE_RAW, Limits
from contracts.ids import sha256_hex
from contracts.inbound import InboundMessage
from contracts.inbound import Raw as RawBytes
from ingest import channels as package

log = structlog.get_logger(__name__)

REF = "sha256:"
"""Prefix of a reference into the archive: followed by the hex of the bytes' hash."""


SPAM_HOLD = "spam_hold"
"""The mark of a message that the intake keeps for a person to look at, instead of handing it on."""


SUSPECTED, RELEASED = "suspected", "released"
"""Options that a door sets: why a message is to be held, and that a person has looked at it and lets it go on."""


NEVER = datetime.min.replace(tzinfo=UTC)


class Served(NamedTuple):
    """One of our accounts: the name it is configured by, and its shop."""

    account: str
    store: str | None = None


@dataclass(frozen=True, slots=True)
class Raw:
    """What a door hands to a channel: bytes as received, and what the door knows about them."""

    body: bytes
    workspace: UUID
    account: str
    received_at: datetime
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in lower case."""
    store: str | None = None
    region: str | None = None
    server_at: datetime | None = None
    envelope_from: str | None = None
    envelope_to: tuple[str, ...] = ()
    received: bytes = b""
    """Mail: the trace field that the door puts on top (RFC 5321, 4.4). Not in `body`: a second delivery is the same mail."""
    from_stranger: bool = False
    """Mail: nobody of ours handed it over, so nothing in it was written by a server of ours, whatever it says."""
    trace: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    """Settings of the account that the channel knows: `address`, `authserv`, `groups`, `sender_verified`."""
    reply_keys: Sequence[bytes] = field(default=(), repr=False)
    """Keys of the workspace that sign reply tokens (`contracts/reply_tokens.py`), the newest first."""
    served: Mapping[tuple[str, str], Served] = field(default_factory=dict)
    """Channel and the provider's own name of an account -> ours: those that the same secret opens; with an empty name, the
    account that takes all. Nothing for a channel: its events are of the account that was called."""


class Unread(NamedTuple):
    """A part of a call that no code here can read: it is parked, and does not stop its neighbours."""

    reason: str
    detail: str
    body: bytes


class Normalised(NamedTuple):
    """Messages, the bytes they refer to by `sha256:…`, which the intake archives first, and what could not be read."""

    messages: list[InboundMessage]
    blobs: dict[str, bytes]
    unread: Sequence[Unread] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP call as received. Header names are in lower case, a name that comes twice has both values joined by a comma;
    the body is not decoded."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    url: str = ""
    """The whole address as the sender called it, with its query."""
    at: datetime = NEVER
    """When it came, by our clock: for signatures that hold a time."""


class Reply(NamedTuple):
    """The body of a 200."""

    body: bytes = b""
    media_type: str = "text/plain"


class Channel(Protocol):
    """What every channel can do. More abilities are more protocols."""

    name: str
    limits: Limits

    def normalise(self, raw: Raw) -> Normalised:
        """The events in these bytes. Pure and repeatable: same bytes, same ids. Raises `Poison` for bytes that can
        never work and `Refused` for what the sender must correct; never anything else."""


@runtime_checkable
class Verifies(Protocol):
    """A channel whose calls are signed or carry a secret."""

    def verify(self, request: Request, secrets: Sequence[str]) -> None:
        """Returns if the call is genuine, else raises `Refused`. Constant time, over the raw body; no secret
        configured means closed."""


@runtime_checkable
class Handshakes(Protocol):
    """A channel whose provider asks for a challenge before it calls."""

    def handshake(self, query: Mapping[str, str], secrets: Sequence[str], token: str) -> Reply:
        """The answer to the challenge. Raises `Refused` when it is not ours, or when nothing is configured."""


@runtime_checkable
class Replies(Protocol):
    """A channel whose provider reads what is answered to a call."""

    reply: Reply


@dataclass(frozen=True, slots=True)
class Access:
    """What opens the files of one of our accounts at its provider. `api`: where the provider's programs are called."""

    token: str = field(default="", repr=False)
    api: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """One GET. `leads`: its answer is not the file, but says where that is. `sha256`: what the file has, if it is known."""

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    leads: bool = False
    sha256: str | None = None


@runtime_checkable
class Fetched(Protocol):
    """A channel whose files stay at the provider, and are fetched after the message was taken. An attachment's
    `provider_ref` is the file's address, unless the channel is one that `Asks`."""

    media_hosts: Sequence[str]
    """The only hosts that files come from, in lower case; `.example.com` are all hosts below example.com."""


@runtime_checkable
class Asks(Fetched, Protocol):
    """A channel that must say how a file is asked for."""

    def ask(self, ref: str, access: Access) -> Ask:
        """The first call for a `provider_ref`. Raises `Transient` when the account's token is missing."""


@runtime_checkable
class Locates(Asks, Protocol):
    """A channel whose provider first says where a file is."""

    def located(self, answer: bytes, access: Access) -> Ask:
        """The call that an answer leads to. Raises `Poison` for one of another shape."""


@runtime_checkable
class Named(Protocol):
    """A channel that is known by its providers' names as well. Several may have the same provider."""

    providers: tuple[str, ...]


@cache
def channels() -> dict[str, Channel]:
    """Every channel of this installation by name. One whose optional package is missing is left out."""
    found: dict[str, Channel] = {}
    for module in pkgutil.iter_modules(package.__path__):
        try:
            channel: Channel = importlib.import_module(f"{package.__name__}.{module.name}").CHANNEL
        except ImportError as error:
            log.warning("channel left out", channel=module.name, reason=str(error))
            continue
        found[channel.name] = channel
    return found


def called(name: str) -> Channel | None:
    """The channel of this name, or the one whose provider is called so."""
    found = channels()
    named = (c for c in found.values() if isinstance(c, Named) and name in c.providers)
    return found.get(name) or next(named, None)


def raw_of(body: bytes) -> tuple[RawBytes, dict[str, bytes]]:
    """The bytes for a message: inline when small, else as a reference with what is to be archived."""
    digest = sha256_hex(body)
    if len(body) <= MAX_INLINE_RAW:
        return RawBytes(sha256=digest, size=len(body), inline=body), {}
    return RawBytes(sha256=digest, size=len(body), ref=REF + digest), {digest: body}
