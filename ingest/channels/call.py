"""Telephone calls as records: a telephone exchange posts what becomes of each (`POST /calls`), or Twilio does.

Every post is an event of its own under the call it is about, in whatever order they come. Who shows the call takes of each
field the value with the latest `updated_at`, and never goes back from an ended call to a ringing one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from contracts import ids
from contracts.channels import LIMITS, Limits
from contracts.errors import Poison, Refused
from contracts.inbound import Handle, Recipient, Sender
from ingest import forms, signatures
from ingest.channel import Normalised, Raw, Request
from ingest.events import Call, canonical, fields, ident, iso, when, words

EVENTS = ("incoming", "answered", "finished", "missed", "voicemail", "recording", "transcript")

_DISPOSITIONS = {
    **dict.fromkeys(("incoming", "ringing", "queued", "initiated", "started"), "incoming"),
    **dict.fromkeys(("answered", "in-progress", "in_progress", "bridged"), "answered"),
    **dict.fromkeys(("finished", "completed", "ended", "hangup"), "finished"),
    **dict.fromkeys(
        ("missed", "no-answer", "no_answer", "busy", "failed", "canceled", "abandoned"), "missed"
    ),
    **{name: name for name in ("voicemail", "recording", "transcript")},
}

_NOBODY = ("anonymous", "restricted", "unknown", "unavailable", "private", "withheld", "blocked")
_KEYS = str.maketrans("abcdefghijklmnopqrstuvwxyz", "22233344455566677778889999")
# Some carriers send these words as digits, by the letters on a telephone's keys: +266696687 is nobody.
_WITHHELD = frozenset(
    {"", *_NOBODY, *(f"{plus}{word.translate(_KEYS)}" for word in _NOBODY for plus in ("", "+"))}
)
_SIP = re.compile(r"sips?:([^@;>]*)", re.IGNORECASE)
_EXTENSION = re.compile(r"\d{1,6}")
_TIMES = ("started_at", "answered_at", "ended_at", "updated_at")
_TEXT = 20_000


class Calls:
    """The account's secret signs each post (Standard Webhooks, or Twilio's way), or is sent with it as a bearer token."""

    name = "call"
    limits: Limits = LIMITS["call"]

    def verify(self, request: Request, secrets: Sequence[str]) -> None:
        if "x-twilio-signature" in request.headers:
            signatures.twilio(request, secrets)
        else:
            signatures.own_sender(request, secrets)

    def normalise(self, raw: Raw) -> Normalised:
        """Nothing for calls among our own people. Raises `Refused` for what the exchange must correct."""
        given = _given(raw)
        call = Call(raw)
        try:
            call.whole(given, lambda fields: [] if _is_internal(fields) else [_event(call, fields)])
        except Poison as error:
            raise Refused("invalid", error.detail, status=422) from None
        return call.result()


def _given(raw: Raw) -> dict[str, Any]:
    """The record, in our own words whoever sent it."""
    if forms.media_type(raw.content_type) == forms.URLENCODED:
        return _of_twilio(dict(parse_qsl(raw.body.decode("utf-8", "replace"), keep_blank_values=True)))
    try:
        given = msgspec.json.decode(raw.body)
    except (ValueError, RecursionError):
        raise Refused("undecodable", "the body is no JSON") from None
    if not isinstance(given, dict):
        raise Refused("invalid", "must be an object", status=422)
    return given


def _of_twilio(form: Mapping[str, str]) -> dict[str, Any]:
    """Voice callbacks (https://www.twilio.com/docs/voice/api/call-resource#statuscallback)."""
    names = {
        "CallSid": "call_id",
        "From": "from",
        "To": "to",
        "CallStatus": "disposition",
        "CallDuration": "duration_s",
        "RecordingUrl": "recording_url",
        "TranscriptionText": "transcript",
        "Digits": "dtmf",
        "Timestamp": "updated_at",
        "CallerName": "name",
    }
    found: dict[str, Any] = {ours: form[theirs] for theirs, ours in names.items() if form.get(theirs)}
    # The first leg names the call.
    found["call_id"] = form.get("ParentCallSid") or form.get("CallSid", "")
    found["direction"] = "out" if form.get("Direction", "").startswith("outbound") else "in"
    if "RecordingSid" in form:
        found["event"] = "recording"
    return found


def _is_internal(given: Mapping[str, Any]) -> bool:
    numbers = [_number(given.get(end)) for end in ("from", "to")]
    return given.get("direction") == "internal" or all(_EXTENSION.fullmatch(number) for number in numbers)


def _event(call: Call, given: dict[str, Any]) -> Any:
    # The legs of one call have ids of their own, and one that joins them.
    identity = _required(given, "linkedid", "call_id")
    event, outgoing = _what(given), given.get("direction") == "out"
    _check_times(given)
    person, ours = (
        _number(given.get("to" if outgoing else "from")),
        _number(given.get("from" if outgoing else "to")),
    )
    known = () if person.lower() in _WITHHELD else (Handle(kind="phone", value=person),)
    facts = {
        k: given.get(k) for k in ("queue", "department", "agent", "recording_url", "dtmf", "disposition")
    }
    facts |= {k: given.get(k) for k in ("duration_s", "talk_s")} | {k: iso(given.get(k)) for k in _TIMES}
    facts |= {"event": event, "call_id": identity, "direction": "out" if outgoing else "in"}
    return call.event(
        "call",
        call.account("call", ours),
        f"{identity}:{ids.sha256_hex(canonical(given))[:16]}",
        given,
        kind="call",
        direction="out" if outgoing else "in",
        target=identity,
        conversation_key=_compared(person) if known else None,
        sender=Sender(
            handles=known,
            display_name=words(given.get("name"))[:200] or None,
            raw=words(given.get("from")) or None,
        ),
        recipients=(Recipient(value=person, kind="phone"),) if outgoing and known else (),
        text=words(given.get("transcript"))[:_TEXT] or None,
        fields=fields(facts),
        server_at=when(given.get("updated_at") or given.get("ended_at") or given.get("started_at")),
    )


def _required(given: Mapping[str, Any], *names: str) -> str:
    for name in names:
        if given.get(name):
            return ident(given[name])
    raise Refused("missing", "name the call", status=422, field=names[-1])


def _what(given: Mapping[str, Any]) -> str:
    """What is said; else what follows from the times."""
    said = given.get("event") or given.get("disposition")
    if said is not None:
        found = _DISPOSITIONS.get(str(said).lower().removeprefix("call."))
        if found is None:
            raise Refused("invalid", f"one of {', '.join(EVENTS)}", status=422, field="event")
        return found
    if given.get("ended_at"):
        return "finished" if given.get("answered_at") else "missed"
    return "answered" if given.get("answered_at") else "incoming"


def _check_times(given: Mapping[str, Any]) -> None:
    for name in ("duration_s", "talk_s"):
        value = given.get(name, 0)
        if value is not None and not re.fullmatch(r"\d{1,7}(\.\d+)?", str(value)):
            raise Refused("invalid", "seconds", status=422, field=name)
    for name in _TIMES:
        if given.get(name) is not None and when(given[name]) is None:
            raise Refused("invalid", "no time", status=422, field=name)


def _compared(number: str) -> str:
    """One spelling of a number, so that calls from it find each other: `0048 22 123-45 67` is `+48221234567`."""
    digits = re.sub(r"[^\d+]", "", re.split(r"(?i)\s*(?:ext|x|;)", number, maxsplit=1)[0])
    return re.sub(r"^00", "+", digits) or number


def _number(value: Any) -> str:
    """A telephone number as written, out of its SIP address; the region is the account's."""
    written = words(value).strip()
    found = _SIP.search(written)
    return (found[1] if found else written)[:40]


CHANNEL = Calls()
