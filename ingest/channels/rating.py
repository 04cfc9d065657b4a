"""What customers think of an answer: posted by another system (`POST /ratings`), or by the customer behind a signed link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from contracts import ids
from contracts.channels import LIMITS, Limits
from contracts.errors import Refused
from contracts.inbound import InboundMessage
from ingest import forms, signatures
from ingest.channel import Normalised, Raw, Request
from ingest.events import Call, canonical, fields, when, words
from ingest.text import one_line

SCORES = ("positive", "negative")
_COMMENT = 5000
_ID = 200


class Ratings:
    """The service key signs each post (Standard Webhooks), or is sent with it as a bearer token. The door opens links, and names their ticket
    and answer in `options`."""

    name = "rating"
    limits: Limits = LIMITS["rating"]

    def verify(self, request: Request, secrets: Sequence[str]) -> None:
        signatures.own_sender(request, secrets)

    def normalise(self, raw: Raw) -> Normalised:
        given = _given(raw)
        comment, score = given.get("comment"), given.get("score")
        if score not in SCORES:
            raise Refused("invalid", "positive or negative", status=422, field="score")
        if comment is not None and (not isinstance(comment, str) or len(comment) > _COMMENT):
            raise Refused("invalid", f"text of at most {_COMMENT} characters", status=422, field="comment")
        call = Call(raw)
        link = raw.options.get("answer")
        event = _of_link(raw, call, link, given) if link else _of_system(raw, call, given)
        return Normalised([event], call.result().blobs)


def _of_link(raw: Raw, call: Call, answer: str, given: Mapping[str, Any]) -> InboundMessage:
    """One rating an answer: what is said at the second visit is the same rating, and changes nothing."""
    ticket = raw.options["ticket"]
    rated = {"ticket": ticket, "answer": answer}
    return _event(call, f"link:{ticket}:{answer}", rated, ticket, answer, given)


def _of_system(raw: Raw, call: Call, given: Mapping[str, Any]) -> InboundMessage:
    ticket = given.get("ticket")
    if isinstance(ticket, bool) or not isinstance(ticket, int) or not 0 < ticket < 1 << 53:
        raise Refused("invalid", "the number of a ticket", status=422, field="ticket")
    if given.get("at") is not None and when(given["at"]) is None:
        raise Refused("invalid", "no time", status=422, field="at")
    named = raw.headers.get("webhook-id") or raw.headers.get("idempotency-key")
    identity = one_line(named or "", 255) or ids.sha256_hex(canonical(given))
    answer = given.get("answer")
    if answer is not None and (not isinstance(answer, str) or not 0 < len(answer) <= _ID):
        raise Refused("invalid", "the id of a message", status=422, field="answer")
    return _event(call, identity, given, str(ticket), answer, given)


def _event(
    call: Call, identity: str, rated: Any, ticket: str, answer: str | None, given: Mapping[str, Any]
) -> InboundMessage:
    return call.event(
        "rating",
        call.account("rating", call.raw.account),
        identity,
        rated,
        kind="rating",
        target=answer or f"ticket:{ticket}",
        text=words(given.get("comment")).strip() or None,
        fields=fields(
            {"ticket": ticket, "answer": answer, "score": given["score"], "agent": given.get("agent")}
        ),
        sent_at=when(given.get("at")),
    )


def _given(raw: Raw) -> dict[str, Any]:
    try:
        if forms.media_type(raw.content_type) == forms.URLENCODED:
            return dict(parse_qsl(raw.body.decode(), keep_blank_values=True, max_num_fields=20))
        given = msgspec.json.decode(raw.body)
    except (ValueError, RecursionError):
        raise Refused("undecodable", "neither JSON nor a form") from None
    if not isinstance(given, dict):
        raise Refused("invalid", "must be an object", status=422)
    return given


CHANNEL = Ratings()
