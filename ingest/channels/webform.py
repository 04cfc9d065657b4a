"""Contact forms: JSON or form data. Everything in it is claimed; nothing is proven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from contracts import ids
from contracts.channels import LIMITS, Limits
from contracts.errors import Refused
from contracts.inbound import Attachment, Handle, InboundMessage, Sender
from ingest import forms
from ingest.channel import REF, RELEASED, SPAM_HOLD, SUSPECTED, Normalised, Raw, raw_of
from ingest.text import clean, is_email, one_line

_NAME, _PHONE, _SUBJECT, _MESSAGE, _FIELD, _FIELDS = 200, 40, 500, 20_000, 2_000, 50
_KEY = 255
_FILES, _FILE_BYTES = 10, 25 << 20
_KNOWN = ("name", "email", "phone", "department", "category", "subject", "message", "locale", "page_url")
HONEYPOT, HONEYPOT_FILLED = "website", "honeypot"
SUBMISSION = "submission_id"


class Webform:
    """`Idempotency-Key` (header), or the hidden field `submission_id`, names a submission. Without one the option `key` does,
    which the door makes, so that every press of the button is a message of its own."""

    name = "webform"
    limits: Limits = LIMITS["webform"]

    def normalise(self, raw: Raw) -> Normalised:
        given, files = forms.parse(raw.body, raw.content_type)
        key = _key(raw, given)
        name, phone = _text(given, "name", _NAME), _text(given, "phone", _PHONE)
        email = _text(given, "email", _NAME)
        message = clean(_text(given, "message", _MESSAGE, lines=True)).replace("\r\n", "\n").strip()
        if not message:
            raise Refused("missing", "write a message", status=422, field="message")
        if email and not is_email(email):
            raise Refused("invalid", "this is not an e-mail address", status=422, field="email")
        kept, blobs = raw_of(raw.body)
        attachments = _attachments(files, blobs)
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
            attachments=attachments,
            fields=_fields(given) | _named(raw),
            locale=_text(given, "locale", 35) or None,
            raw=kept,
            marks=_marks(raw, given),
            trace=raw.trace,
        )
        return Normalised([event], blobs)


def _own_key(raw: Raw) -> str:
    """The key that the caller gave; empty if none."""
    header = one_line(raw.headers.get("idempotency-key", ""), _KEY + 1)
    if len(header) > _KEY:
        raise Refused("too_long", f"at most {_KEY} characters", status=422, field="Idempotency-Key")
    return header


def _key(raw: Raw, given: Mapping[str, Any]) -> str:
    return (
        _own_key(raw)
        or _text(given, SUBMISSION, _KEY)
        or raw.options.get("key", "")
        or ids.sha256_hex(raw.body)
    )


def _named(raw: Raw) -> dict[str, str]:
    """The caller's own key, as a field: who names each submission says that two of the same words are two."""
    own = _own_key(raw)
    return {"idempotency_key": own} if own else {}


def _marks(raw: Raw, given: Mapping[str, Any]) -> tuple[str, ...]:
    """Whether it is held, and why."""
    why = HONEYPOT_FILLED if given.get(HONEYPOT) else raw.options.get(SUSPECTED)
    return (SPAM_HOLD, why) if why and RELEASED not in raw.options else ()


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
    if not isinstance(own, dict):
        raise Refused("invalid", "must be an object", status=422, field="fields")
    extra = {k: v for k, v in given.items() if k not in (*_KNOWN, "fields", HONEYPOT, SUBMISSION)} | own
    if len(extra) > _FIELDS:
        raise Refused("too_many", f"at most {_FIELDS} fields", status=422, field="fields")
    found = {one_line(str(name), 100): one_line(_written(value), _FIELD) for name, value in extra.items()}
    for field in ("department", "category", "page_url"):
        if value := _text(given, field, _FIELD):
            found[field] = value
    return found


def _written(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _attachments(files: Sequence[forms.File], blobs: dict[str, bytes]) -> tuple[Attachment, ...]:
    if len(files) > _FILES:
        raise Refused("too_many", f"at most {_FILES} files", status=422, field="files")
    if sum(len(file.content) for file in files) > _FILE_BYTES:
        raise Refused("too_large", f"at most {_FILE_BYTES >> 20} MiB of files", status=413, field="files")
    found = []
    for file in files:
        digest = ids.sha256_hex(file.content)
        blobs[digest] = file.content
        found.append(
            Attachment(
                name=one_line(file.name, 200) or "file",
                type=one_line(file.type, 100),
                size=len(file.content),
                sha256=digest,
                ref=REF + digest,
            )
        )
    return tuple(found)


CHANNEL = Webform()
