"""Events of a network's call on their way to messages: what all channels whose calls hold JSON have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from contracts import ids
from contracts.errors import Poison
from contracts.inbound import InboundMessage
from ingest.channel import Normalised, Raw, Served, Unread, raw_of
from ingest.text import clean, one_line, undecodable

ID = 512
"""Bytes of the longest id that is taken: much longer ones do not fit into an index."""
FIELD = 2000

SHAPE = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, RecursionError)
"""What code raises that reads a value of another shape than the one it knows."""
_MILLISECONDS = 100_000_000_000
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


def decoded(body: bytes) -> dict[str, Any]:
    """The JSON object in these bytes. Raises `Poison`."""
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise Poison("undecodable", undecodable(error)) from None
    if not isinstance(found, dict):
        raise Poison("unknown_shape", "not an object")
    return found


def canonical(part: Any) -> bytes:
    """One spelling of a value: an event that is sent again, in another call or another order, is the same bytes."""
    return msgspec.json.encode(part, order="sorted")


class Call:
    """One call. `take` reads part by part: what cannot be read is set aside, and the others go on."""

    def __init__(self, raw: Raw) -> None:
        self.raw = raw
        self._messages: list[InboundMessage] = []
        self._blobs: dict[str, bytes] = {}
        self._unread: dict[bytes, Unread] = {}

    def take(self, call: Any, part: Any, read: Callable[[Any], Iterable[InboundMessage]]) -> None:
        """What the reader finds in the part; nothing of it if the reader cannot go to its end. `call`: the part as a call of
        its own, which is parked then, so that it can be tried again."""
        try:
            self.whole(part, read)
        except Poison as error:
            self.set_aside(call, error.reason, error.detail)

    def whole(self, part: Any, read: Callable[[Any], Iterable[InboundMessage]]) -> None:
        """The same for a call that is one event. Raises `Poison` if it cannot be read."""
        try:
            self._messages += list(read(part))
        except SHAPE as error:
            raise Poison("unknown_shape", type(error).__name__) from None

    def set_aside(self, call: Any, reason: str, detail: str = "") -> None:
        body = canonical(call)
        self._unread.setdefault(body, Unread(reason, detail, body))

    def account(self, channel: str, number: str) -> Served:
        """Our account that the provider calls so. Raises `Poison` when it is none of those that this call may be for."""
        served = self.raw.served
        if found := served.get((channel, number)) or served.get((channel, "")):
            return found
        if any(known == channel for known, _ in served):
            raise Poison("unknown_account", f"no {channel} account has this number")
        return Served(self.raw.account, self.raw.store)

    def event(
        self, channel: str, account: Served, provider_id: str, event: Any, **content: Any
    ) -> InboundMessage:
        """A message made of one event. Its raw bytes are the event's alone, so that they are the same in any call."""
        raw = self.raw
        kept, blobs = raw_of(canonical(event))
        self._blobs |= blobs
        return InboundMessage(
            message_id=ids.message_id(raw.workspace, channel, account.account, provider_id),
            workspace=raw.workspace,
            channel=channel,
            account=account.account,
            store=account.store,
            provider_id=provider_id,
            received_at=raw.received_at,
            raw=kept,
            trace=raw.trace,
            **content,
        )

    def result(self) -> Normalised:
        return Normalised(self._messages, self._blobs, list(self._unread.values()))


def ident(value: Any) -> str:
    """An id as a string, whatever the provider makes of it this year. Raises `ValueError` for what cannot be one."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError("no id")
    found = one_line(str(value), ID + 1)
    if not found or len(found.encode()) > ID:
        raise ValueError("empty or too long for an id")
    return found


def composed(*parts: Any) -> str:
    """An id of our making, for events that have none: of what makes them one. The same parts, the same id."""
    found = ":".join("" if part is None else one_line(str(part), 2 * ID) for part in parts)
    return found if len(found.encode()) <= ID else f"{found[: ID // 8]}:{ids.sha256_hex(found.encode())}"


def ident_or_none(value: Any) -> str | None:
    """The same, for an id that may be absent."""
    return None if value is None or value == "" else ident(value)


def words(value: Any) -> str:
    """Text as it may be stored; empty for what is none."""
    return clean(value) if isinstance(value, str) else ""


def fields(given: Mapping[str, Any]) -> dict[str, str]:
    """What else the source says: scalars as text, empty ones left out."""
    found = {}
    for name, value in given.items():
        if isinstance(value, bool):
            found[name] = "true" if value else "false"
        elif isinstance(value, str | int | float) and (text := one_line(str(value), FIELD)):
            found[one_line(name, 100)] = text
    return found


def mapping(value: Any) -> dict[str, Any]:
    """The object that may be absent."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """The list that may be absent."""
    return value if isinstance(value, list) else []


def when(value: Any) -> datetime | None:
    """A provider's time: seconds, milliseconds, ISO 8601 or as in a mail, also as text. None for what is no time, which is no reason to
    lose a message."""
    try:
        if isinstance(value, str) and not value.strip().lstrip("-").isdigit():
            return _utc(_written(value.strip()))
        number = int(value)
        return _utc(datetime.fromtimestamp(number / 1000 if abs(number) >= _MILLISECONDS else number, UTC))
    except (TypeError, ValueError, OverflowError, OSError, IndexError):
        return None


def iso(value: Any) -> str | None:
    """The same as text, for a field."""
    found = when(value)
    return found.isoformat() if found else None


def _written(value: str) -> datetime:
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return parsedate_to_datetime(value)


def _utc(found: datetime) -> datetime | None:
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return found if datetime(1990, 1, 1, tzinfo=UTC) < found < _LATEST else None
