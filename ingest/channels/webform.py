"""Contact forms: JSON or form data. Everything in it is claimed; nothing is proven."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from contracts import ids
from contracts.channels import LIMITS, Limits
from contracts.errors import Poison, Refused
from contracts.inbound import Handle, InboundMessage, Sender
from ingest.channel import Normalised, Raw, raw_of
from ingest.text import clean, one_line

_NAME, _SUBJECT, _MESSAGE, _FIELD, _FIELDS = 200, 500, 20_000, 2_000, 50
_KNOWN = ("name", "email", "phone", "department", "category", "subject", "message", "locale", "page_url")
HONEYPOT = "website"
SPAM_HOLD = "spam_hold"


class Webform:
    """`Idempotency-Key` (header, or the hidden field `submission_id`) names a submission; the door makes one if absent."""

    name = "webform"
    limits: Limits = LIMITS["webform"]

    def normalise(self, raw: Raw) -> Normalised:
        given = _parse(raw)
        key = raw.headers.get("idempotency-key") or given.get("submission_id") or ids.sha256_hex(raw.body)
        name, email, phone = (_text(given, field, _NAME) for field in ("name", "email", "phone"))
        message = clean(_text(given, "message", _MESSAGE, lines=True)).strip()
        if not message:
            raise Refused("missing", "write a message", status=422, field="message")
        if email and "@" not in email:
            raise Refused("invalid", "not an e-mail address", status=422, field="email")
        kept, blobs = raw_of(raw.body)
        handles = [Handle(kind="email", value=email)] if email else []
        handles += [Handle(kind="phone", value=phone)] if phone else []
        event = InboundMessage(
            message_id=ids.message_id(raw.workspace, self.name, raw.account, key),
            workspace=raw.workspace,
            channel=self.name,
            account=raw.account,
            store=raw.store,
            provider_id=key,
            received_at=raw.received_at,
            sender=Sender(handles=tuple(handles), display_name=name or None),
            subject=_text(given, "subject", _SUBJECT) or None,
            text=message,
            fields=_fields(given),
            locale=_text(given, "locale", 35) or None,
            raw=kept,
            marks=(SPAM_HOLD,) if given.get(HONEYPOT) else (),
            trace=raw.trace,
        )
        return Normalised([event], blobs)


def _parse(raw: Raw) -> Mapping[str, Any]:
    if not raw.body:
        raise Poison("empty", "no body")
    try:
        if raw.content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
            pairs = parse_qsl(raw.body.decode(), keep_blank_values=True, max_num_fields=100)
            return dict(pairs)
        given = msgspec.json.decode(raw.body)
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise Poison("undecodable", type(error).__name__) from None
    if not isinstance(given, dict):
        raise Poison("undecodable", "not an object")
    return given


def _text(given: Mapping[str, Any], field: str, most: int, lines: bool = False) -> str:
    """A field as text. Raises `Refused` naming it when it is too long or no text."""
    value = given.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Refused("invalid", "must be text", status=422, field=field)
    if len(value) > most:
        raise Refused("too_long", f"at most {most} characters", status=422, field=field)
    return value if lines else one_line(value, most)


def _fields(given: Mapping[str, Any]) -> dict[str, str]:
    """Department and category as picked, the page, and the form's own fields."""
    own = given.get("fields") or {}
    if not isinstance(own, dict) or len(own) > _FIELDS:
        raise Refused("invalid", f"an object of at most {_FIELDS} fields", status=422, field="fields")
    extra = {k: v for k, v in given.items() if k not in (*_KNOWN, "fields", HONEYPOT, "submission_id")}
    found = {one_line(str(name), 100): one_line(str(value), _FIELD) for name, value in (extra | own).items()}
    for field in ("department", "category", "page_url"):
        if value := _text(given, field, _FIELD):
            found[field] = value
    return found


CHANNEL = Webform()
